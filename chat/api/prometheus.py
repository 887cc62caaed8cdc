"""Parley's metrics in Prometheus's text format, with names and units by its conventions.

All values but `parley_web_connections` come from Redis, so any web process can report those of the
whole deployment.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector

from chat.accounts.connections import open_connections
from chat.domain import CallResult, PartyClass, Status, WaitReason
from chat.domain.budgets import Scope
from chat.operations.budget_stats import BudgetStats
from chat.operations.stats import Stats
from chat.settings import chat_settings
from chat.store.limiter_states import LimiterState
from chat.store.metrics import BUCKETS_MS, Histogram, Metrics

OUTCOMES = [status.value for status in Status if status.is_terminal]
# Without the cached ones, which are among those of prompts.
TOKEN_KINDS = ("prompt", "completion")
# Values by the values of their labels.
LabeledValues = dict[tuple[str, ...], float]


def render(stats: Stats) -> bytes:
    """Return all metrics in Prometheus's text format."""
    registry = CollectorRegistry()
    registry.register(StatsCollector(stats))
    return generate_latest(registry)


class StatsCollector(Collector):
    def __init__(self, stats: Stats) -> None:
        self._stats = stats

    def collect(self) -> Iterable[Metric]:
        metrics, limiters = self._stats.metrics, self._stats.limiters
        yield from _gauges(self._stats)
        yield from _counters(metrics, [limiter.model for limiter in limiters])
        yield from _latencies(metrics.latencies)
        yield from _limiters(limiters)
        yield from _budgets(self._stats.budgets)


def _gauges(stats: Stats) -> Iterator[Metric]:
    metrics = stats.metrics
    for name, text, value in (
        ("parley_sessions", "Live sessions.", metrics.sessions),
        ("parley_waiting_turns", "Turns that wait for a worker.", metrics.queued_turns),
        ("parley_waiting_turns_limit", "At this many waiting turns, messages are rejected.",
         chat_settings.MAX_QUEUED_TURNS),
        ("parley_running_turns", "Turns that a worker is running.", metrics.running_turns),
        ("parley_oldest_wait_seconds",
         "Longest time that a session with queued turns has been without a worker.",
         metrics.oldest_wait_seconds),
        ("parley_workers", "Workers with a current heartbeat.", len(stats.workers)),
        ("parley_webhook_pending_deliveries", "Pending webhook deliveries.",
         metrics.pending_deliveries),
        ("parley_web_connections", "Open connections of this web process.", open_connections()),
    ):  # fmt: skip
        yield GaugeMetricFamily(name, text, value=value)


def _counters(metrics: Metrics, models: list[str]) -> Iterator[Metric]:
    turns: LabeledValues = {(outcome, model): 0 for outcome in OUTCOMES for model in models}
    tokens: LabeledValues = {(kind, model): 0 for kind in TOKEN_KINDS for model in models}
    tokens |= {name: count for name, count in metrics.tokens.items() if name[0] in TOKEN_KINDS}
    requeues: LabeledValues = {(reason.value,): 0 for reason in WaitReason}
    requeues |= _by_label(metrics.requeues)
    accepted: LabeledValues = {(): metrics.accepted_turns}
    lost: LabeledValues = {(): metrics.lost_leases}
    attempts = _by_label(metrics.webhook_attempts)
    for name, text, labels, values in (
        ("accepted_turns", "Accepted turns.", (), accepted),
        ("turns", "Ended turns.", ("outcome", "model"), {**turns, **metrics.turns}),
        ("turn_errors", "Turns that failed, by error.", ("code",), _by_label(metrics.errors)),
        ("turn_requeues", "Turns that went back to the queue.", ("reason",), requeues),
        ("lost_leases", "Turns whose worker did not renew its lease.", (), lost),
        (
            "tokens",
            "Tokens of prompts and replies.",
            ("kind", "model"),
            tokens,
        ),
        ("webhook_attempts", "Webhook requests, by outcome.", ("outcome",), attempts),
        (
            "webhook_skipped_deliveries",
            "Webhook deliveries postponed because their receiver had timed out.",
            (),
            {(): metrics.skipped_deliveries},
        ),
    ):
        family = CounterMetricFamily(f"parley_{name}", text, labels=labels)
        for label_values, value in sorted(values.items()):
            family.add_metric(label_values, value)
        yield family


def _by_label(counts: Mapping[str, int]) -> LabeledValues:
    return {(label,): count for label, count in counts.items()}


def _latencies(latencies: Mapping[str, Histogram]) -> Iterator[Metric]:
    for name, text in (
        ("queue", "From a turn's acceptance to the start of its last attempt."),
        ("time_to_first_token", "From the start of an attempt until its first text was stored."),
        ("turn", "From a turn's acceptance to its end."),
    ):
        family = HistogramMetricFamily(f"parley_{name}_seconds", text)
        histogram = latencies[name]
        family.add_metric([], _buckets(histogram), histogram.sum_seconds)
        yield family


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    """Return the upper bounds in seconds, each with the number of values up to it."""
    names = [str(bound / 1000) for bound in BUCKETS_MS] + ["+Inf"]
    sums = [sum(histogram.counts[: i + 1]) for i in range(len(names))]
    return list(zip(names, sums, strict=True))


def _budgets(budgets: BudgetStats) -> Iterator[Metric]:
    """Yield the metrics of budgets. Labels contain no names of clients."""
    for family, attribute in (
        (CounterMetricFamily("parley_budget_spent_micro_units", "Cost of ended calls.",
                             labels=["scope"]), "spent"),
        (CounterMetricFamily("parley_budget_spent_tokens", "Tokens of ended calls.",
                             labels=["scope"]), "tokens"),
        (CounterMetricFamily("parley_budget_lost_micro_units",
                             "Cost of ended calls that no worker has reported.",
                             labels=["scope"]), "lost"),
        (GaugeMetricFamily("parley_budget_reserved_micro_units", "Reserved by calls in progress.",
                           labels=["scope"]), "reserved"),
    ):  # fmt: skip
        for scope in Scope:
            family.add_metric([scope], getattr(budgets.totals.get(scope), attribute, 0))
        yield family
    exceeded = GaugeMetricFamily("parley_budget_exceeded", "Exceeded budgets.", labels=["scope"])
    for scope in Scope:
        exceeded.add_metric([scope], budgets.count_exceeded(scope))
    yield exceeded


def _limiters(limiters: Sequence[LimiterState]) -> Iterator[Metric]:
    for name, text, value in (
        ("circuit_open", "1 while calls to the model are blocked.", attrgetter("is_open")),
        ("circuit_failures", "Sessions whose calls failed since the model's last success.",
         attrgetter("failures")),
        ("model_blocked_seconds", "Seconds until calls to the model are allowed again.",
         attrgetter("blocked_for")),
        ("model_calls_in_flight", "Calls in flight, of a model with a concurrency limit.",
         attrgetter("calls_in_flight")),
        ("model_waiting_turns", "Turns that wait because of the model's limits.",
         attrgetter("waiting_sessions")),
        ("model_waiting_parties", "Parties with turns that wait for the model.",
         attrgetter("waiting_parties")),
        ("model_blocked_parties", "Parties whose calls to the model are blocked.",
         attrgetter("blocked_parties")),
    ):  # fmt: skip
        family = GaugeMetricFamily(f"parley_{name}", text, labels=["model"])
        for limiter in limiters:
            family.add_metric([limiter.model], value(limiter))
        yield family
    yield from _limiter_counters(limiters)


def _limiter_counters(limiters: Sequence[LimiterState]) -> Iterator[Metric]:
    waits = SummaryMetricFamily(
        "parley_model_wait_seconds", "Waits of turns for the model.", labels=["model", "class"]
    )
    trials = CounterMetricFamily(
        "parley_model_trial_calls",
        "Calls that tested whether a blocked model works again.",
        labels=["model", "result"],
    )
    capped = CounterMetricFamily(
        "parley_model_capped_retry_afters",
        "Retry-Afters of the model beyond CHAT_MAX_RETRY_AFTER.",
        labels=["model"],
    )
    for limiter in limiters:
        name, counters = limiter.model, limiter.counters
        for each in PartyClass:
            count, ms = counters[f"waits:{each}"], counters[f"waited_ms:{each}"]
            waits.add_metric([name, each], count_value=count, sum_value=ms / 1000)
        for result in CallResult:
            trials.add_metric([name, result], counters[f"trials:{result}"])
        capped.add_metric([name], counters["capped_retry_afters"])
    yield from (waits, trials, capped)
