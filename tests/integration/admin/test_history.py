"""The history page: ranges, figures and the CSV file."""

import csv
import io

import pytest
from django.test import Client
from redis import Redis

from chat.store import keys, rollups
from tests.integration.admin.active_content import find_active_content
from tests.integration.admin.sessions import open_session, post_message
from tests.integration.api import fake_worker

PAGE = "/admin/operations/history/"


@pytest.fixture
def busy(redis: Redis) -> None:
    """A reply and a failure in this hour, after an empty one."""
    rollups.record()
    ((hour, copy),) = redis.hgetall(keys.rollups()).items()
    redis.hset(keys.rollups(), str(int(hour) - 1), copy)
    session_id = open_session()
    post_message(session_id)
    fake_worker.complete_turn(session_id, "an answer")
    post_message(session_id)
    fake_worker.fail_turn(session_id)


@pytest.mark.usefixtures("busy")
def test_page_shows_replies_errors_and_durations(admin: Client) -> None:
    for name in ("day", "week", "month"):
        response = admin.get(f"{PAGE}?range={name}")
        (row,) = response.context["rows"]
        assert (row["replies"], row["errors"]) == (1, 1)
        assert row["codes"] == [("model_error", 1)]
        assert all(value.endswith("ms") for value in row["percentiles"])
        assert find_active_content(response.content.decode()) == []
    assert admin.get(f"{PAGE}?range=year").status_code == 404


@pytest.mark.usefixtures("busy")
def test_csv_has_a_line_per_hour(admin: Client) -> None:
    response = admin.get(f"{PAGE}?format=csv")
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(response.content.decode())))
    assert len(rows) == rollups.HOURS
    assert rows[-1]["completed"] == rows[-1]["failed"] == "1"
    assert rows[-1]["errors"] == "model_error=1"
    assert int(rows[-1]["turn_p99_ms"]) >= int(rows[-1]["turn_p50_ms"]) >= 0
    assert rows[-2]["turn_p50_ms"] == ""
    assert {row["completed"] for row in rows[:-1]} == {"0"}


def test_empty_history_is_shown(admin: Client) -> None:
    assert "No turns in this time." in admin.get(PAGE).content.decode()
