"""The operations page: the current state of the deployment, and the last hour."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from chat.admin import charts, records, views
from chat.admin.budget_rows import budget_rows
from chat.admin.errors import handle_store_errors
from chat.admin.models import Session
from chat.conversation import llms
from chat.domain.errors import UnknownModel
from chat.operations import stats

TEMPLATES = "admin/chat/operations/"


def front_page(request: HttpRequest) -> HttpResponse:
    """Redirect to the page; staff who may not view sessions get Django's list of their pages."""
    if views.permissions(request)["view"]:
        return HttpResponseRedirect(reverse("operations"))
    return admin.site.index(request)


@handle_store_errors
def page(request: HttpRequest) -> HttpResponse:
    """Show the page, or with `?only=figures` the part of it that is refreshed.

    POST unblocks the model that `unblock` names.

    Raises:
        PermissionDenied: the user may not view sessions, or not change them with POST.
    """
    can = views.permissions(request)
    if not can["change" if request.method == "POST" else "view"]:
        raise PermissionDenied
    if request.method == "POST":
        return _unblock(request)
    context = _context() | {"can": can}
    if request.GET.get("only") == "figures":
        return TemplateResponse(
            request, TEMPLATES + "figures.html", context, headers={"Cache-Control": "no-store"}
        )
    context |= {**admin.site.each_context(request), "title": "Operations"}
    return TemplateResponse(request, TEMPLATES + "page.html", context)


def _unblock(request: HttpRequest) -> HttpResponse:
    name = request.POST.get("unblock", "")
    try:
        llms.unblock(name)
    except UnknownModel as error:
        raise Http404 from error
    records.record(request, f"model {name}", "Unblocked.")
    messages.success(request, f"Unblocked the model {name}.")
    return HttpResponseRedirect(request.path)


def _context() -> dict[str, Any]:
    current = stats.collect()
    metrics = current.metrics
    running = stats.longest_running() if metrics.running_turns else []
    return {
        "metrics": metrics,
        "longest_wait": charts.format_seconds(
            metrics.oldest_wait_seconds if metrics.queued_turns else None
        ),
        "charts": [
            charts.draw_minutes("replies", "Replies per minute", metrics, charts.REPLIES),
            charts.draw_minutes("errors", "Errors per minute", metrics, charts.ERRORS),
        ],
        "percentiles": charts.PERCENTILE_NAMES,
        "latencies": charts.latency_rows(metrics.latencies_last_hour),
        "outcomes": charts.OUTCOMES,
        "models": charts.model_rows(metrics),
        "errors": sorted(metrics.errors.items(), key=lambda each: -each[1]),
        "limiters": [(limiter, charts.limiter_status(limiter)) for limiter in current.limiters],
        "parties": [
            (limiter.model, party, charts.party_status(party))
            for limiter in current.limiters
            for party in limiter.parties
        ],
        "workers": [(worker, charts.format_seconds(worker.age)) for worker in current.workers],
        "running": [
            (Session.from_row(row), charts.format_seconds(max(0.0, metrics.now - since)))
            for since, row in running
        ],
        "max_listed": stats.MAX_LISTED,
        "budgets": budget_rows(current.budgets),
    }
