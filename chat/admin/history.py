"""The history page: replies, errors, latencies, tokens and cost of the last 30 days."""

import csv
from datetime import UTC, datetime
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse

from chat.admin import charts, views
from chat.admin.budget_rows import format_money
from chat.admin.charts import Chart
from chat.admin.errors import handle_store_errors
from chat.operations import rollups
from chat.store.rollups import Rollup

TEMPLATE = "admin/chat/operations/history.html"
HOUR, DAY = 3600, 86400
# Choice of `?range=` -> its label, hours and seconds per period.
RANGES = {
    "day": ("24 hours", 24, HOUR),
    "week": ("7 days", 7 * 24, HOUR),
    "month": ("30 days", 30 * 24, DAY),
}
FORMATS = {HOUR: "%b %-d %H:00", DAY: "%b %-d"}


@handle_store_errors
def page(request: HttpRequest) -> HttpResponse:
    """Show `?range=`; with `?format=csv` return all hours as a file.

    Raises:
        PermissionDenied: the user may not view sessions.
        Http404: unknown range.
    """
    views.require(request, "view")
    if request.GET.get("format") == "csv":
        return _csv()
    chosen = request.GET.get("range", "day")
    if chosen not in RANGES:
        raise Http404
    _, hours, size = RANGES[chosen]
    found = rollups.read(hours, size=size)
    return views.show(
        request,
        TEMPLATE,
        title="History",
        ranges={name: label for name, (label, _, _) in RANGES.items()},
        chosen=chosen,
        percentiles=charts.PERCENTILE_NAMES,
        has_prices=rollups.has_prices(),
        charts=_charts(found, size),
        rows=[_row(rollup, size) for rollup in reversed(found) if rollup.counts],
    )


def _csv() -> HttpResponse:
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="parley-hours.csv"'
    response["Cache-Control"] = "no-store"
    csv.writer(response).writerows(rollups.csv_rows())
    return response


def _charts(found: list[Rollup], size: int) -> list[Chart]:
    unit = "hour" if size == HOUR else "day"
    labels = [_label(rollup, size) for rollup in found]
    sums = {
        "replies": ("Replies", [_total(each, charts.REPLIES) for each in found]),
        "errors": ("Errors", [_total(each, charts.ERRORS) for each in found]),
        "tokens": ("Tokens", [_tokens(each) for each in found]),
    }
    drawn = [
        charts.draw(name, f"{title} per {unit}", f"{sum(values):,} in all", values, labels)
        for name, (title, values) in sums.items()
    ]
    p95 = [rollup.latency("turn").quantile(0.95) or 0.0 for rollup in found]
    title, summary = "Duration of turns, p95", "from acceptance to the end"
    latency = charts.draw("latency", title, summary, p95, labels, describe=charts.format_seconds)
    return [*drawn, latency]


def _row(rollup: Rollup, size: int) -> dict[str, Any]:
    turn = rollup.latency("turn")
    return {
        "label": _label(rollup, size),
        "replies": _total(rollup, charts.REPLIES),
        "errors": _total(rollup, charts.ERRORS),
        "codes": rollup.by("errors", 1).most_common(),
        "percentiles": [charts.format_seconds(turn.quantile(each)) for each in rollups.PERCENTILES],
        "prompt_tokens": rollup.total("tokens", "prompt"),
        "completion_tokens": rollup.total("tokens", "completion"),
        "cost": format_money(rollups.cost(rollup)),
    }


def _total(rollup: Rollup, outcomes: tuple[str, ...]) -> int:
    return sum(rollup.total("turns", outcome) for outcome in outcomes)


def _tokens(rollup: Rollup) -> int:
    return rollup.total("tokens", "prompt") + rollup.total("tokens", "completion")


def _label(rollup: Rollup, size: int) -> str:
    return datetime.fromtimestamp(rollup.start, UTC).strftime(FORMATS[size])
