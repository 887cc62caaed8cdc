"""The figures of the operations page, in the words and shapes that it shows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from chat.domain import Status, WaitReason
from chat.store.limits import LimiterState
from chat.store.metrics import MINUTES, Histogram, Metrics

OUTCOMES = [status.value for status in Status if status.is_terminal]
PERCENTILES = (0.5, 0.95, 0.99)
LATENCY_LABELS = {
    "queue": "Wait for a worker",
    "time_to_first_token": "First text, from the attempt's beginning",
    "turn": "Whole turn",
}
# What opens a circuit, by the reason why turns wait.
BLOCKED_BY = {
    WaitReason.QUEUE: "failures",
    WaitReason.RATE_LIMITED: "rate limited",
    WaitReason.MODEL_LOADING: "model loading",
}
# Units of spans: seconds from which on they are used, seconds of one, their names.
UNITS = ((7200, 3600, "h"), (120, 60, "min"))
# Of a chart; its width is a minute each.
HEIGHT = 40


@dataclass(frozen=True, slots=True)
class Bar:
    """One minute of a chart, in its own units; `y` is counted from the top."""

    x: int
    y: float
    height: float
    title: str
    # Whether the minute is.
    is_over: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """What ended in each minute of the last hour."""

    name: str
    title: str
    bars: Sequence[Bar]
    # In one minute.
    most: int
    total: int
    # In the last minute that is over.
    last: int


def chart(name: str, title: str, metrics: Metrics, outcomes: Iterable[str]) -> Chart:
    """Draw how many turns ended by these outcomes, by the minute."""
    rows = [metrics.ended_by_minute.get(outcome, (0,) * MINUTES) for outcome in outcomes]
    counts = [sum(column) for column in zip(*rows, strict=True)]
    most = max(counts)
    bars = [_bar(minute, count, most) for minute, count in enumerate(counts) if count]
    return Chart(name, title, bars, most, sum(counts), counts[-2])


def _bar(minute: int, count: int, most: int) -> Bar:
    height = round(HEIGHT * count / most, 2)
    ago = MINUTES - 1 - minute
    when = f"{ago} min ago" if ago else "this minute, so far"
    return Bar(minute, round(HEIGHT - height, 2), height, f"{count:,} {when}", ago > 0)


def latency_rows(histograms: Mapping[str, Histogram]) -> list[tuple[str, str, list[str]]]:
    """Return each latency's name, how often it was taken, and its quantiles of `SHARES`."""
    return [
        (
            title,
            f"{histograms[name].count:,}",
            [format_seconds(histograms[name].quantile(share)) for share in PERCENTILES],
        )
        for name, title in LATENCY_LABELS.items()
    ]


def model_rows(metrics: Metrics) -> list[tuple[str, list[int]]]:
    """Return for each model its turns by outcome, and its tokens read and written."""
    names = sorted({model for _, model in (*metrics.turns, *metrics.tokens)})
    return [
        (
            name or "none was asked",
            [
                *(metrics.turns.get((outcome, name), 0) for outcome in OUTCOMES),
                *(metrics.tokens.get((kind, name), 0) for kind in ("prompt", "completion")),
            ],
        )
        for name in names
    ]


def limiter_status(limiter: LimiterState) -> str:
    """Describe the state of a model's circuit breaker."""
    if limiter.is_open:
        cause = BLOCKED_BY[WaitReason(limiter.reason)]
        return f"open: calls blocked for {format_seconds(limiter.blocked_for)} ({cause})"
    return "half-open: one call probes the model" if limiter.is_half_open else "closed"


def format_seconds(seconds: float | None) -> str:
    """Return a span in the unit that suits it."""
    if seconds is None:
        return "none"
    for least, unit, name in UNITS:
        if seconds >= least:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"
