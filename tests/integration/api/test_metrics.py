"""Metrics for Prometheus: their values, access to them, the dashboard and the alert rules."""

import json
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import requests
import yaml
from django.test import RequestFactory
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings
from redis import Redis

from chat.api.prometheus import render
from chat.api.views.metrics import check_access
from chat.domain import Lease, Usage, UsageSource
from chat.domain.budgets import (
    Budget,
    BudgetRefusal,
    BudgetRules,
    Limit,
    Period,
    Reservation,
    Scope,
)
from chat.domain.errors import InvalidToken, NotAllowed
from chat.domain.prices import Price
from chat.operations import stats
from chat.store import budgets
from project.runner.process import ROOT
from tests.harness.redis_cluster import needs_one_server
from tests.harness.stack import port_of
from tests.harness.wait import wait_until
from tests.integration.api import fake_worker
from tests.integration.api.client import APIClient, status_and_code
from tests.integration.store import steps

DEPLOY = ROOT / "deploy"
SELECTOR = re.compile(r"\b(parley_\w+)(?:\{([^}]*)\})?")
GROUPED = re.compile(r"\b(?:by|without) \(([^)]*)\)")
# The only metric that differs between web processes.
CONNECTIONS = "parley_web_connections"


def families(api: APIClient) -> dict[str, Metric]:
    response = api.get("/metrics")
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return {each.name: each for each in text_string_to_metric_families(response.text)}


def values(api: APIClient) -> dict[str, float]:
    """Return every sample of the deployment that is not zero: name and labels -> value."""
    return {
        f"{sample.name}{''.join(f' {value}' for _, value in sorted(sample.labels.items()))}": (
            sample.value
        )
        for family in families(api).values()
        for sample in family.samples
        if sample.value and "le" not in sample.labels and family.name != CONNECTIONS
    }


@pytest.mark.security("S51")
def test_metrics_show_budgets_without_names(settings: Settings) -> None:
    limit = Limit(money=500)
    settings.CHAT_BUDGETS = BudgetRules(each={Scope.USER: {Period.DAY: limit}})
    of_ann = Budget(scope=Scope.USER, subject="ann", period=Period.DAY, limit=limit)
    price = Price(input=1_000_000, cached_input=1_000_000, output=1_000_000)

    def reserve(nonce: str, prompt_tokens: int) -> Reservation | BudgetRefusal:
        lease = Lease(session_id="ses_1", fence=1, nonce=nonce)
        return steps.reserve(
            lease, [of_ann], price, prompt_tokens=prompt_tokens, max_tokens=50, min_cost=300,
            min_tokens=1, lasts=60,
        )  # fmt: skip

    settled = reserve("settled", 200)
    assert isinstance(settled, Reservation)
    budgets.settle(
        settled, Usage(prompt_tokens=200, completion_tokens=9, source=UsageSource.PROVIDER)
    )
    reserve("pending", 100)
    reserve("refused", 400)
    text = render(stats.collect()).decode()
    samples = [sample for each in text_string_to_metric_families(text) for sample in each.samples]
    found = [
        (each.name.removeprefix("parley_budget_"), each.labels["scope"], each.value)
        for each in samples
        if each.name.startswith("parley_budget") and each.value
    ]
    assert found == [
        ("spent_micro_units_total", "user", 209),
        ("spent_tokens_total", "user", 209),
        ("reserved_micro_units", "user", 150),
        ("exceeded", "user", 1),
    ]


def test_metrics_count_turns(api: APIClient, owner: APIClient) -> None:
    owner.post_message("one")
    fake_worker.complete_turn(owner.id, "an answer")
    owner.post_message("two")
    samples = values(api)
    for name in ("parley_queue_seconds_sum", "parley_turn_seconds_sum",
                 "parley_time_to_first_token_seconds_sum",
                 "parley_oldest_wait_seconds"):  # fmt: skip
        assert 0 <= samples.pop(name, 0) < 60
    assert samples == {
        "parley_sessions": 1,
        "parley_waiting_turns": 1,
        "parley_waiting_turns_limit": 10_000,
        "parley_accepted_turns_total": 2,
        "parley_turns_total default completed": 1,
        "parley_queue_seconds_count": 1,
        "parley_time_to_first_token_seconds_count": 1,
        "parley_turn_seconds_count": 1,
    }


def test_histogram_buckets_are_cumulative(api: APIClient, owner: APIClient) -> None:
    owner.post_message("one")
    fake_worker.complete_turn(owner.id, "an answer")
    samples = families(api)["parley_turn_seconds"].samples
    buckets = [each.value for each in samples if each.name.endswith("_bucket")]
    assert buckets == sorted(buckets)
    assert buckets[-1] == 1
    assert [each.labels["le"] for each in samples if "le" in each.labels][-1] == "+Inf"


@pytest.mark.thorough
def test_all_web_processes_return_the_same_metrics(
    api: APIClient, owner: APIClient, api_with: Any
) -> None:
    owner.post_message("one")
    fake_worker.complete_turn(owner.id, "an answer")
    assert values(api_with()) == values(api)


def test_web_process_counts_its_open_connections(api_with: Callable[..., APIClient]) -> None:
    api = api_with()
    port = port_of(api.url)

    def connections() -> float:
        (sample,) = families(api)[CONNECTIONS].samples
        return sample.value

    # That of the scrape itself.
    wait_until(lambda: connections() == 1)
    with ExitStack() as opened:
        for _ in range(3):
            opened.enter_context(socket.create_connection(("127.0.0.1", port)))
        wait_until(lambda: connections() == 4)
    wait_until(lambda: connections() == 1)


@needs_one_server
def test_redis_commands_do_not_grow_with_sessions(redis: Redis, api: APIClient) -> None:
    def commands() -> int:
        before = int(redis.info("stats")["total_commands_processed"])
        api.get("/metrics")
        return int(redis.info("stats")["total_commands_processed"]) - before

    def least() -> int:
        """With few of the commands that the process sends in between, such as pings."""
        return min(commands() for _ in range(10))

    api.get("/metrics")
    empty = least()
    for _ in range(20):
        owner = api.open_session()
        owner.post_message("one")
        fake_worker.complete_turn(owner.id, "an answer")
    assert least() < empty + 10


def test_metrics_token_is_required_if_set(api_with: Callable[..., APIClient]) -> None:
    api = api_with(METRICS_TOKEN="of-prometheus")
    assert status_and_code(api.get("/metrics")) == (401, "invalid_token")
    for wrong in ("Bearer no", "Bearer of-prometheuS", "Basic of-prometheus", "Bearer é"):
        headers = {"Authorization": wrong.encode()}
        assert requests.get(f"{api.url}/metrics", headers=headers, timeout=10).status_code == 401
    right = {"Authorization": "Bearer of-prometheus", "Host": "10.0.0.7:8000"}
    assert requests.get(f"{api.url}/metrics", headers=right, timeout=10).status_code == 200


def test_foreign_host_without_a_token_is_rejected(api: APIClient) -> None:
    rebound = {"Host": "evil.example"}
    assert status_and_code(api.get("/metrics", headers=rebound)) == (400, "invalid_host")


@pytest.mark.case("C36")
@pytest.mark.parametrize(
    ("meta", "passes"),
    [
        ({"REMOTE_ADDR": "127.0.0.1"}, True),
        ({"REMOTE_ADDR": "::1"}, True),
        ({"REMOTE_ADDR": "192.0.2.1"}, False),
        ({"REMOTE_ADDR": ""}, True),  # a Unix socket
        ({"REMOTE_ADDR": "", "HTTP_X_FORWARDED_FOR": "127.0.0.1"}, False),
        ({"REMOTE_ADDR": "unknown"}, False),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "127.0.0.1"}, False),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_FORWARDED": "for=127.0.0.1"}, False),
    ],
)
def test_only_local_clients_need_no_metrics_token(meta: dict[str, str], passes: bool) -> None:
    request = RequestFactory().get("/metrics", **meta)  # type: ignore[arg-type]
    if passes:
        check_access(request)
    else:
        with pytest.raises(NotAllowed):
            check_access(request)


def test_empty_metrics_token_is_rejected(settings: Settings) -> None:
    settings.METRICS_TOKEN = "set"
    with pytest.raises(InvalidToken):
        check_access(RequestFactory().get("/metrics", headers={"Authorization": "Bearer "}))


def test_all_metrics_are_documented(api: APIClient) -> None:
    page = (ROOT / "docs" / "monitoring.md").read_text()
    for family in families(api).values():
        name = family.name + ("_total" if family.type == "counter" else "")
        assert f"`{name}`" in page, name


def expressions() -> Iterator[str]:
    """Yield every query of the dashboard and of the alert rules."""
    dashboard = json.loads((DEPLOY / "grafana" / "parley.json").read_text())
    for panel in dashboard["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    yield from (rule["expr"] for rule in alerts())


def alerts() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


def labels_by_name(api: APIClient) -> dict[str, set[str]]:
    """Return the labels of every metric by its name."""
    labels: dict[str, set[str]] = {}
    for family in families(api).values():
        ends = {
            "counter": ["_total"],
            "histogram": ["_bucket", "_sum", "_count"],
            "summary": ["_sum", "_count"],
        }
        for end in ends.get(family.type, [""]):
            samples = [each for each in family.samples if each.name == family.name + end]
            labels[family.name + end] = {name for each in samples for name in each.labels}
    return labels


def test_dashboard_and_alerts_use_existing_metrics(api: APIClient, owner: APIClient) -> None:
    owner.post_message("one")
    fake_worker.fail_turn(owner.id)
    known = labels_by_name(api)
    used = set()
    for query in expressions():
        assert query.count("(") == query.count(")"), query
        selectors = SELECTOR.findall(query)
        labels = {"job"}
        for name, selector in selectors:
            assert name in known, f"{name}: /metrics has none"
            assert set(re.findall(r"(\w+)=", selector)) <= known[name], query
            labels |= known[name]
            used.add(name)
        for grouped in GROUPED.findall(query):
            assert set(grouped.split(", ")) <= labels, query
    assert set(known) - used <= {
        f"parley_{name}_seconds_{end}"
        for name in ("queue", "time_to_first_token", "turn")
        for end in ("sum", "count")
    } | {"parley_circuit_failures"}
