"""The columns and filters of the list of sessions: errors, ratings, dates, users."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from redis import Redis

from chat.conversation import sessions
from chat.conversation.messages import set_feedback
from chat.domain import Caller, Feedback, FinishReason, Outcome, Rating, Status, TurnError
from chat.domain.turns import Delta
from chat.store import keys, leases
from tests.harness.tiers import thorough
from tests.integration.admin.sessions import LIST, open_session, post_message
from tests.integration.api import fake_worker


def listed(client: Client, query: str = "") -> list[str]:
    response = client.get(LIST + query)
    assert response.status_code == 200
    return [session.pk for session in response.context["cl"].result_list]


def found(client: Client, query: str) -> set[str]:
    """Return the sessions in no order: they may have been active in the same ms."""
    return set(listed(client, query))


def failed_session(code: str = "model_error") -> str:
    session_id = open_session()
    post_message(session_id)
    fail(session_id, code)
    return session_id


def fail(session_id: str, code: str) -> None:
    error = TurnError(code=code, message="It failed.")
    outcome = Outcome(
        status=Status.FAILED, finish_reason=FinishReason.ERROR, model="default", error=error
    )
    leases.finish(fake_worker.claim_turn(session_id).lease, outcome, Delta(offset=0, escaped=b""))


def rate_down(session_id: str) -> None:
    set_feedback(Caller.internal(session_id), "msg_2", Feedback(rating=Rating.DOWN))


def test_sessions_are_filtered_by_error(admin: Client) -> None:
    good = open_session()
    post_message(good)
    fake_worker.complete_turn(good, "an answer")
    first, second = failed_session(), failed_session("model_timeout")
    assert found(admin, "?failed=any") == {second, first}
    assert found(admin, "?failed=model_error") == {first}
    assert found(admin, "?failed=model") == set()  # not a prefix
    assert found(admin, f"?failed=any&q={first}") == {first}
    assert found(admin, f"?failed=model_timeout&q={first}") == set()
    post_message(first)
    fail(first, "model_timeout")
    assert found(admin, "?failed=model_error") == set()
    assert found(admin, "?failed=model_timeout") == {first, second}
    sessions.reset(Caller.internal(first))
    assert found(admin, "?failed=any") == {second}


def test_filters_by_label_are_combined_with_others(admin: Client) -> None:
    both, failed = failed_session(), failed_session()
    rated = open_session("Ada")
    post_message(rated)
    fake_worker.complete_turn(rated, "an answer")
    rate_down(both)
    rate_down(rated)
    assert found(admin, "?rated=down") == {rated, both}
    assert found(admin, "?rated=down&failed=any") == {both}
    assert found(admin, "?rated=down&q=ada") == {rated}
    assert found(admin, "?failed=any&model=default") == {failed, both}
    assert found(admin, "?failed=any&model=other") == set()
    post_message(both)
    fake_worker.claim_turn(both)
    assert found(admin, "?failed=any&status=running") == {both}
    assert found(admin, "?failed=any&status=idle") == {failed}
    assert found(admin, "?failed=any&activity=over-1h") == set()


@pytest.mark.parametrize("per_partition", [1, 30, *thorough(120)])
def test_pages_of_many_failed_sessions_are_exact(
    redis: Redis, admin: Client, per_partition: int
) -> None:
    session_id = failed_session()
    fields: dict[Any, Any] = redis.hgetall(keys.for_session(session_id).session)
    ids = [f"ses_{n % 4 << 14:04x}{n:020x}" for n in range(4 * per_partition)]
    with redis.pipeline(transaction=False) as pipeline:
        for n, each in enumerate(ids):
            own = keys.for_session(each)
            pipeline.hset(own.session, mapping=fields | {b"last_active_at": 1000 + n})
            pipeline.expire(own.session, 600)
            pipeline.zadd(own.by_activity, {each: 1000 + n})
            pipeline.zadd(own.labels, {f"failed:model_error {each}": 0})
        pipeline.execute()
    expected = [session_id, *reversed(ids)]
    pages: list[str] = []
    for page in range(1, len(expected) // 50 + 2):
        pages += listed(admin, f"?failed=any&p={page}")
    assert pages == expected


def test_sessions_are_filtered_by_date(redis: Redis, admin: Client) -> None:
    ids = [open_session(), open_session()]
    for day, each in enumerate(ids, start=10):
        at = 1000 * datetime(2026, 11, day, 23, 59, tzinfo=UTC).timestamp()
        redis.zadd(keys.for_session(each).by_activity, {each: at})
        redis.hset(keys.for_session(each).session, "last_active_at", round(at))
    assert listed(admin, "?from=2026-11-11") == [ids[1]]
    assert listed(admin, "?to=2026-11-10") == [ids[0]]
    assert listed(admin, "?from=2026-11-10&to=2026-11-11") == ids[::-1]
    assert listed(admin, "?from=2026-11-12&activity=over-1h") == []
    assert listed(admin, "?from=2026-11-10&activity=5m") == []
    response = admin.get(f"{LIST}?from=tomorrow&to=")
    assert "no date such as" in response.content.decode()
    assert len(response.context["cl"].result_list) == 2


def test_row_shows_first_message_errors_and_tokens(admin: Client) -> None:
    session_id = open_session("a name")
    question = 'Why "so"? \\ \N{SMILING FACE WITH SUNGLASSES}\n' + "\N{SNOWMAN}" * 200
    post_message(session_id, question)
    fail(session_id, "model_timeout")
    row = admin.get(LIST).context["cl"].result_list[0].row
    assert question.startswith(row.preview)
    assert len(row.preview.encode()) >= 150
    assert (row.errors, row.error_code, row.tokens) == (1, "model_timeout", 0)
    html = admin.get(LIST).content.decode()
    for part in ("a name", "Why &quot;so&quot;?", "1 model_timeout", f">{session_id[:12]}<"):
        assert part in html, part


@pytest.mark.parametrize("cut", range(190, 210))
def test_preview_may_be_cut_anywhere(admin: Client, cut: int) -> None:
    session_id = open_session()
    text = "x" * cut + '\x01\\"\N{SNOWMAN}' + "y" * 20
    post_message(session_id, text)
    assert text.startswith(admin.get(LIST).context["cl"].result_list[0].row.preview)
