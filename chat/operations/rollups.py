"""What happened in each hour of the last 30 days, with its cost."""

from collections.abc import Iterator, Sequence

from chat.conversation import llms
from chat.domain import Status
from chat.domain.errors import UnknownModel
from chat.domain.prices import FREE, Price
from chat.store import metrics, rollups
from chat.store.rollups import HOURS, Rollup

PERCENTILES = (0.5, 0.95, 0.99)
OUTCOMES = [status.value for status in Status if status.is_terminal]
FIELDS = (
    "hour",
    *OUTCOMES,
    "errors",
    *(f"{name}_p{100 * each:.0f}_ms" for name in metrics.LATENCIES for each in PERCENTILES),
    "prompt_tokens",
    "completion_tokens",
    "cost_micro_units",
)


def read(hours: int = HOURS, *, size: int = rollups.HOUR) -> list[Rollup]:
    """Return rollups of the last hours, in periods of `size` seconds, oldest first.

    Raises:
        StoreUnavailable
    """
    return rollups.merge(rollups.read(hours), size)


def cost(rollup: Rollup) -> int:
    """Return the cost of the tokens at the models' present prices, in micro-units."""
    return sum(
        _price(model).cost(
            prompt=rollup.total("tokens", "prompt", model),
            completion=rollup.total("tokens", "completion", model),
            cached=rollup.total("tokens", "cached", model),
        )
        for model in rollup.by("tokens", 2)
    )


def has_prices() -> bool:
    """Return whether any model has a price."""
    return any(model.price for model in llms.all_models().values())


def _price(model: str) -> Price:
    try:
        return llms.get(model).price or FREE
    except UnknownModel:
        return FREE


def csv_rows() -> Iterator[Sequence[object]]:
    """Yield the names of the columns, then a row per hour.

    Errors are `<code>=<count>`, separated by spaces. Durations are in ms, or empty without turns.

    Raises:
        StoreUnavailable
    """
    yield FIELDS
    for rollup in read():
        yield _csv_row(rollup)


def _csv_row(rollup: Rollup) -> Sequence[object]:
    histograms = [rollup.latency(name) for name in metrics.LATENCIES]
    seconds = [each.quantile(fraction) for each in histograms for fraction in PERCENTILES]
    return (
        rollup.hour,
        *(rollup.total("turns", outcome) for outcome in OUTCOMES),
        " ".join(f"{code}={count}" for code, count in sorted(rollup.by("errors", 1).items())),
        *("" if each is None else round(1000 * each) for each in seconds),
        rollup.total("tokens", "prompt"),
        rollup.total("tokens", "completion"),
        cost(rollup),
    )
