"""Charts, tables and formatted values of the operations page."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from chat.domain import Status, WaitReason
from chat.operations.rollups import PERCENTILES
from chat.store.limiter_states import LimiterState, PartyState
from chat.store.metrics import MINUTES, Histogram, Metrics

OUTCOMES = [status.value for status in Status if status.is_terminal]
# Outcomes that the charts show.
REPLIES, ERRORS = ("completed", "incomplete"), ("failed", "expired")
PERCENTILE_NAMES = [f"p{100 * each:.0f}" for each in PERCENTILES]
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
# Height of a chart, in its own units. One unit of its width is a period.
HEIGHT = 40


@dataclass(frozen=True, slots=True)
class Bar:
    """One period of a chart, in the chart's units. y: distance from the top."""

    x: int
    y: float
    height: float
    title: str
    # False for the current period.
    is_complete: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """A value for each period, such as the turns that ended in each minute of the last hour."""

    name: str
    title: str
    # The last complete period, and the whole chart.
    summary: str
    bars: Sequence[Bar]
    # The number of periods: the chart's width.
    width: int
    # The highest value of a single period.
    maximum: float
    maximum_text: str
    # Below the chart: its start, middle and end.
    axis: Sequence[str]


def draw_minutes(name: str, title: str, metrics: Metrics, outcomes: Iterable[str]) -> Chart:
    """Return a chart of the turns that ended with one of these outcomes, by minute."""
    rows = [metrics.ended_by_minute.get(outcome, (0,) * MINUTES) for outcome in outcomes]
    counts = [sum(column) for column in zip(*rows, strict=True)]
    ago = [f"{MINUTES - minute} min ago" for minute in range(1, MINUTES)]
    summary = f"{counts[-2]:,} in the last full minute, {sum(counts):,} in the last hour"
    return draw(name, title, summary, counts, [*ago, "current minute"])


def draw(
    name: str,
    title: str,
    summary: str,
    values: Sequence[float],
    labels: Sequence[str],
    *,
    describe: Callable[[float], str] = "{:,}".format,
) -> Chart:
    """Return a chart of values, oldest first. The last one is that of an incomplete period.

    labels: names of the periods. describe: formats a value.
    """
    maximum = max(values)
    bars = []
    for x, value in enumerate(values):
        if value:
            height = round(HEIGHT * value / maximum, 2)
            text = f"{labels[x]}: {describe(value)}"
            bars.append(Bar(x, round(HEIGHT - height, 2), height, text, x < len(values) - 1))
    return Chart(
        name=name,
        title=title,
        summary=summary,
        bars=bars,
        width=len(values),
        maximum=maximum,
        maximum_text=describe(maximum),
        axis=(labels[0], labels[len(labels) // 2], "now"),
    )


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
    at = limiter.blocked_since
    since = f" since {_format_time(at)}" if at else ""
    if limiter.is_open:
        reason = OPEN_REASONS[WaitReason(limiter.reason)]
        blocked_for = format_seconds(limiter.blocked_for)
        return f"open{since}: calls blocked for another {blocked_for} ({reason})"
    return f"half-open{since}: a few calls test the model" if limiter.is_half_open else "closed"


def party_status(party: PartyState) -> str:
    """Describe whether the calls of a party are blocked."""
    if not party.blocked_for:
        return ""
    reason = OPEN_REASONS[WaitReason(party.reason)]
    return f"blocked for {format_seconds(party.blocked_for)} ({reason})"


def _format_time(timestamp: float) -> str:
    return f"{datetime.fromtimestamp(timestamp, UTC):%H:%M:%S} UTC"


def format_seconds(seconds: float | None) -> str:
    """Format a duration in a suitable unit."""
    if seconds is None:
        return "none"
    for minimum, unit, symbol in UNITS:
        if seconds >= minimum:
            return f"{seconds / unit:.0f} {symbol}"
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"
