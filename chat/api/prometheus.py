"""Parley's figures in Prometheus's text format: names and units as its conventions have them.

All of them come from Redis, so any web process tells them for all, and none is kept here.
"""

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from chat.domain import Status, WaitReason
from chat.operations.stats import Stats
from chat.settings import chat_settings
from chat.store.limits import LimiterState
from chat.store.metrics import BUCKETS_MS, Histogram, Metrics

OUTCOMES = [status.value for status in Status if status.is_terminal]
# Values by those of the labels.
LabeledValues = dict[tuple[str, ...], float]


def render(standing: Stats) -> bytes:
    """Return all figures as Prometheus reads them."""
    registry = CollectorRegistry()
    registry.register(StatsCollector(standing))
    return generate_latest(registry)


class StatsCollector(Collector):
    """One look, as metrics."""

    def __init__(self, standing: Stats) -> None:
        self._standing = standing

    def collect(self) -> Iterable[Metric]:
        """Give all metrics."""
        tally = self._standing.tally
        yield from _gauges(self._standing)
        yield from _counters(tally, [gate.model for gate in self._standing.gates])
        yield from _latencies(tally.latencies)
        yield from _gates(self._standing.gates)


def _gauges(standing: Stats) -> Iterator[Metric]:
    tally = standing.tally
    for name, text, value in (
        ("parley_sessions", "Sessions that live.", tally.sessions),
        ("parley_waiting_turns", "Turns that wait for a worker.", tally.waiting_turns),
        ("parley_waiting_turns_limit", "Waiting turns beyond which none is accepted.",
         chat_settings.MAX_QUEUED_TURNS),
        ("parley_running_turns", "Turns that a worker holds.", tally.running_turns),
        ("parley_oldest_wait_seconds", "Longest time that a session has been without a worker.",
         tally.oldest_wait_seconds),
        ("parley_workers", "Workers that show life.", len(standing.workers)),
        ("parley_webhook_waiting", "Deliveries to webhooks that are pending.",
         tally.pending_deliveries),
    ):  # fmt: skip
        yield GaugeMetricFamily(name, text, value=value)


def _counters(tally: Metrics, models: list[str]) -> Iterator[Metric]:
    turns: Counted = {(outcome, model): 0 for outcome in OUTCOMES for model in models}
    tokens: Counted = {(kind, model): 0 for kind in ("prompt", "completion") for model in models}
    restarts: Counted = {(reason.value,): 0 for reason in WaitReason}
    restarts |= {(reason,): count for reason, count in tally.requeues.items()}
    errors: Counted = {(code,): count for code, count in tally.errors.items()}
    yield _counter(
        "parley_accepted_turns", "Turns that were accepted.", (), {(): tally.accepted_turns}
    )
    yield _counter(
        "parley_turns", "Turns that ended.", ("outcome", "model"), {**turns, **tally.turns}
    )
    yield _counter("parley_turn_errors", "Turns that ended by an error.", ("code",), errors)
    yield _counter(
        "parley_restarts", "Times that a begun turn was put back to wait.", ("reason",), restarts
    )
    yield _counter(
        "parley_lost_leases", "Times that a turn's worker fell silent.", (), {(): tally.lost_leases}
    )
    yield _counter(
        "parley_tokens",
        "Tokens that models read and wrote.",
        ("kind", "model"),
        {**tokens, **tally.tokens},
    )
    tries: Counted = {(outcome,): count for outcome, count in tally.webhook_attempts.items()}
    yield _counter(
        "parley_webhook_tries", "Tries at webhooks, by what came of them.", ("outcome",), tries
    )


def _counter(name: str, text: str, labels: tuple[str, ...], values: LabeledValues) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for told, value in sorted(values.items()):
        family.add_metric(told, value)
    return family


def _latencies(latencies: Mapping[str, Histogram]) -> Iterator[Metric]:
    for name, text in (
        ("queue", "From a turn's acceptance until its last attempt began."),
        (
            "time_to_first_token",
            "From the beginning of an attempt until its first text was stored.",
        ),
        ("turn", "From a turn's acceptance until its end."),
    ):
        family = HistogramMetricFamily(f"parley_{name}_seconds", text)
        found = latencies[name]
        family.add_metric([], _buckets(found), found.sum_seconds)
        yield family


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    """Return the upper bounds in seconds, each with how many were that quick."""
    names = [str(bound / 1000) for bound in BUCKETS_MS] + ["+Inf"]
    sums = [sum(histogram.counts[: i + 1]) for i in range(len(names))]
    return list(zip(names, sums, strict=True))


def _gates(gates: Iterable[LimiterState]) -> Iterator[Metric]:
    texts = {
        "open": "1 when calls to the model may pass, 0 when it is being left alone.",
        "calls": "Calls in flight, of a model whose calls are bounded.",
        "waiting": "Turns that the gate has told to come again.",
        "failures": "Sessions whose calls have failed since the model was last heard.",
    }
    families = {
        name: GaugeMetricFamily(f"parley_gate_{name}", text, labels=["model"])
        for name, text in texts.items()
    }
    for gate in gates:
        families["open"].add_metric([gate.model], float(gate.blocked_for == 0))
        families["calls"].add_metric([gate.model], gate.calls_in_flight)
        families["waiting"].add_metric([gate.model], gate.waiting_turns)
        families["failures"].add_metric([gate.model], gate.failures)
    yield from families.values()
