"""Charts, tables and formatted values of the operations page."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from chat.domain import Status, WaitReason
from chat.store.limiter_states import LimiterState, PartyState
from chat.store.metrics import MINUTES, Histogram, Metrics

OUTCOMES = [status.value for status in Status if status.is_terminal]
PERCENTILES = (0.5, 0.95, 0.99)
LATENCY_LABELS = {
    "queue": "Queue time",
    "time_to_first_token": "Time to first token, from the start of the attempt",
    "turn": "Complete turn",
}
# Why a circuit is open, by the reason for which turns wait.
OPEN_REASONS = {
    WaitReason.CIRCUIT: "failures",
    WaitReason.QUEUE: "unavailable",
    WaitReason.RATE_LIMITED: "rate limited",
    WaitReason.MODEL_LOADING: "model loading",
}
# Units of durations: the shortest duration they are used for and their length, in seconds; symbol.
UNITS = ((7200, 3600, "h"), (120, 60, "min"))
# Height of a chart, in its own units. One unit of its width is a minute.
HEIGHT = 40


@dataclass(frozen=True, slots=True)
class Bar:
    """One minute of a chart, in the chart's units. y: distance from the top."""

    x: int
    y: float
    height: float
    title: str
    # False for the current minute.
    is_complete: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """The number of turns that ended in each minute of the last hour."""

    name: str
    title: str
    bars: Sequence[Bar]
    # The highest value of a single minute.
    maximum: int
    total: int
    # The value of the last complete minute.
    last: int


def draw_chart(name: str, title: str, metrics: Metrics, outcomes: Iterable[str]) -> Chart:
    """Return a chart of the turns that ended with one of these outcomes."""
    rows = [metrics.ended_by_minute.get(outcome, (0,) * MINUTES) for outcome in outcomes]
    counts = [sum(column) for column in zip(*rows, strict=True)]
    maximum = max(counts)
    bars = [_bar(minute, count, maximum) for minute, count in enumerate(counts) if count]
    return Chart(name, title, bars, maximum, sum(counts), counts[-2])


def _bar(minute: int, count: int, maximum: int) -> Bar:
    height = round(HEIGHT * count / maximum, 2)
    ago = MINUTES - 1 - minute
    when = f"{ago} min ago" if ago else "current minute"
    return Bar(minute, round(HEIGHT - height, 2), height, f"{when}: {count:,}", ago > 0)


def latency_rows(histograms: Mapping[str, Histogram]) -> list[tuple[str, str, list[str]]]:
    """Return label, count and `PERCENTILES` of each latency."""
    return [
        (
            label,
            f"{histograms[name].count:,}",
            [format_seconds(histograms[name].quantile(percentile)) for percentile in PERCENTILES],
        )
        for name, label in LATENCY_LABELS.items()
    ]


def model_rows(metrics: Metrics) -> list[tuple[str, list[int]]]:
    """Return each model's name, its turns by outcome, and its prompt and completion tokens."""
    names = sorted({model for _, model in (*metrics.turns, *metrics.tokens)})
    return [
        (
            name or "(no model called)",
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
        reason = OPEN_REASONS[WaitReason(limiter.reason)]
        return f"open: calls blocked for {format_seconds(limiter.blocked_for)} ({reason})"
    return "half-open: a few calls probe the model" if limiter.is_half_open else "closed"


def party_status(party: PartyState) -> str:
    """Describe whether the calls of a party are blocked."""
    if not party.blocked_for:
        return ""
    reason = OPEN_REASONS[WaitReason(party.reason)]
    return f"blocked for {format_seconds(party.blocked_for)} ({reason})"


def format_seconds(seconds: float | None) -> str:
    """Format a duration in a suitable unit."""
    if seconds is None:
        return "none"
    for minimum, unit, symbol in UNITS:
        if seconds >= minimum:
            return f"{seconds / unit:.0f} {symbol}"
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"
