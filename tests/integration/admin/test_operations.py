"""The operations page: what it shows, who may view it, and what it costs."""

import re
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import Settings
from redis import Redis

from chat.admin import charts
from chat.conversation import llms
from chat.domain import CallResult, Lease, Usage, UsageSource
from chat.domain.budgets import (
    Budget,
    BudgetRefusal,
    BudgetRules,
    Limit,
    Period,
    Reservation,
    Scope,
)
from chat.domain.prices import Price
from chat.settings import chat_settings
from chat.store import budgets, keys, limiter, workers
from chat.store.client import client as store_client
from chat.store.metrics import MINUTES
from tests.harness.ports import free_port
from tests.integration.admin.active_content import find_active_content
from tests.integration.admin.costs import round_trips
from tests.integration.admin.sessions import open_session, post_message
from tests.integration.api import fake_worker
from tests.integration.store import limiter_steps, steps

PAGE = "/admin/operations/"
Staff = Callable[..., Client]


def html_of(client: Client, query: str = "") -> str:
    response = client.get(PAGE + query)
    assert response.status_code == 200
    return response.content.decode()


@pytest.fixture
def busy() -> str:
    """Return the session of a running turn, after a reply and a failure; another turn is queued."""
    for run in (
        lambda each: fake_worker.complete_turn(each, "an answer"),
        fake_worker.fail_turn,
        fake_worker.claim_turn,
    ):
        running = open_session("<b>Ada</b>")
        post_message(running)
        run(running)
    post_message(open_session())
    workers.heartbeat("host:1", running_turns=1)
    return running


@pytest.mark.security("S45")
def test_staff_unblock_a_model(admin: Client, staff: Staff) -> None:
    model = llms.get("default")
    limiter_steps.release(model, "a", CallResult.RETRY_AFTER, retry_after=50)
    assert 'value="default">Unblock' in html_of(admin)
    assert staff("view").post(PAGE, {"unblock": "default"}).status_code == 403
    assert 'value="default">Unblock' not in html_of(staff("view", "export"))
    assert admin.post(PAGE, {"unblock": "no such model"}).status_code == 404
    assert admin.post(PAGE, {"unblock": "default"})["Location"] == PAGE
    assert "Unblock<" not in html_of(admin)
    log = admin.get("/admin/admin/logentry/").content.decode()
    assert "model default" in log
    assert "Unblocked." in log


@pytest.mark.security("S45")
def test_a_command_unblocks_a_model() -> None:
    model = llms.get("default")
    limiter_steps.release(model, "a", CallResult.RETRY_AFTER, retry_after=50)
    call_command("unblock", "default")
    assert limiter.degraded(["default"]) == set()
    with pytest.raises(CommandError, match="Unknown model"):
        call_command("unblock", "no such model")


@pytest.mark.security("S51")
def test_page_shows_budgets(admin: Client, settings: Settings) -> None:
    assert "Budgets</h2>" not in html_of(admin)
    limit = Limit(money=12_500_000, tokens=20_000)
    daily = {Period.DAY: limit}
    settings.CHAT_BUDGETS = BudgetRules(
        each={Scope.DEPLOYMENT: daily}, own={(Scope.TENANT, "acme"): daily}
    )
    assert "no calls yet" in html_of(admin)
    budget = Budget(scope=Scope.TENANT, subject="acme", period=Period.DAY, limit=limit)
    price = Price(input=10**9, cached_input=10**9, output=10**9)

    def reserve(nonce: str) -> Reservation | BudgetRefusal:
        lease = Lease(session_id="ses_1", fence=1, nonce=nonce)
        return steps.reserve(
            lease, [budget], price, prompt_tokens=0, max_tokens=12_000, min_cost=12_000_000,
            min_tokens=1, lasts=60,
        )  # fmt: skip

    reservation = reserve("n1")
    assert isinstance(reservation, Reservation)
    usage = Usage(prompt_tokens=1_000, completion_tokens=234, source=UsageSource.PROVIDER)
    budgets.settle(reservation, usage)
    reserve("n2")
    shown = admin.get(PAGE).context["budgets"]
    assert [(row.name, row.limit, row.spent) for row in shown] == [
        ("deployment per day, money", "12.50", "0.00"),
        ("deployment per day, tokens", "20,000", "0"),
        ("tenant acme per day, money", "12.50", "1.234"),
        ("tenant acme per day, tokens", "20,000", "1,234"),
    ]
    assert [row.is_exceeded for row in shown] == [False, False, True, True]


def test_page_shows_the_current_state(busy: str, admin: Client) -> None:
    response = admin.get(PAGE)
    context, html = response.context, response.content.decode()
    metrics = context["metrics"]
    assert (metrics.queued_turns, metrics.running_turns, metrics.sessions) == (1, 1, 4)
    assert [chart.maximum for chart in context["charts"]] == [1, 1]
    assert [count for _, count, _ in context["latencies"]] == ["2", "1", "2"]
    assert [session.pk for session, _ in context["running"]] == [busy]
    for part in ("a test", "host:1", "&lt;b&gt;Ada&lt;/b&gt;", "model_error", "closed"):
        assert part in html, part
    assert "<b>Ada" not in html


def test_page_has_no_inline_or_foreign_code(busy: str, admin: Client) -> None:  # noqa: ARG001
    html = html_of(admin)
    assert find_active_content(html) == []
    assert " style=" not in html
    assert "<style" not in html


def test_figures_are_returned_without_the_page(busy: str, admin: Client) -> None:  # noqa: ARG001
    part = html_of(admin, "?only=figures")
    assert "<html" not in part
    assert part.strip().startswith('<dl class="gauges">')


def test_open_circuit_is_shown_with_its_reason(admin: Client) -> None:
    (model,) = llms.all_models().values()
    for number in range(5):
        limiter_steps.release(model, f"ses_{number}", CallResult.FAILED)
    (limiter, status) = admin.get(PAGE).context["limiters"][0]
    assert (limiter.failures, limiter.model) == (5, "default")
    assert abs(time.time() - limiter.blocked_since) < 60
    assert re.match(r"open since [\d:]{8} UTC: calls blocked for another ", status)
    assert status.endswith("(failures)")


def test_page_reports_missing_workers(admin: Client) -> None:
    html = html_of(admin)
    assert "No worker is running" in html
    assert html.count('<span class="maximum"></span>') == 2  # no axis from 0 to 0
    assert "No turns yet." in html


def test_page_costs_the_same_for_any_load(
    redis: Redis,
    busy: str,  # noqa: ARG001
    admin: Client,
) -> None:
    before = round_trips(admin, PAGE)
    assert before == 5  # metrics, limiters, workers, running turns, their sessions
    for partition in range(chat_settings.PARTITIONS):
        redis.zadd(keys.waiting(partition), {f"ses_{partition}_{n}": n for n in range(100)})
        redis.zadd(keys.running(partition), {f"ses_{partition}_{n}": n for n in range(100)})
    assert round_trips(admin, PAGE) == before
    redis.flushall()


@pytest.mark.django_db
def test_page_requires_permission_to_view_sessions(busy: str, staff: Staff) -> None:  # noqa: ARG001
    for query in ("", "?only=figures"):
        for permission in ("view", "change"):
            assert (client := staff(permission)).get(PAGE + query).status_code == 200
            assert client.get("/admin/")["Location"] == PAGE
            User.objects.all().delete()
        for others in ((), ("export",), ("delete", "redact")):
            response = (client := staff(*others)).get(PAGE + query)
            assert response.status_code == 403
            assert b"Ada" not in response.content
            assert PAGE not in client.get("/admin/").content.decode()  # Django's list of pages
            User.objects.all().delete()
        anonymous = Client().get(PAGE + query)
        assert anonymous["Location"].startswith("/admin/login/")
        client = Client()
        client.force_login(User.objects.create_user("not-staff"))
        assert client.get(PAGE + query).status_code == 302
        User.objects.all().delete()


def test_unavailable_redis_returns_503(admin: Client, settings: Settings) -> None:
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    store_client.cache_clear()
    response = admin.get(PAGE)
    assert response.status_code == 503
    assert "Redis is unavailable" in response.content.decode()


def test_bar_height_is_proportional_to_the_count(busy: str, admin: Client) -> None:  # noqa: ARG001
    metrics = admin.get(PAGE).context["metrics"]
    counts = tuple(range(MINUTES))
    drawn = charts.draw_minutes(
        "x", "X", replace(metrics, ended_by_minute={"completed": counts}), ("completed",)
    )
    assert drawn.maximum == 59
    assert drawn.summary == "58 in the last full minute, 1,770 in the last hour"
    assert [bar.x for bar in drawn.bars] == list(range(1, MINUTES))  # no bar for a count of 0
    assert drawn.bars[-1].height == charts.HEIGHT
    assert not drawn.bars[-1].is_complete
    assert drawn.bars[0].title == "58 min ago: 1"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "none"), (0.0124, "12 ms"), (1.25, "1.2 s"), (119, "119.0 s"), (150, "2 min"),
     (7200, "2 h")],
)  # fmt: skip
def test_durations_are_formatted_in_a_suitable_unit(seconds: float | None, text: str) -> None:
    assert charts.format_seconds(seconds) == text
