"""The page of deliveries: what webhooks have been told of, and what they are still to be told."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from chat.admin import views
from chat.admin.errors import handle_store_errors
from chat.admin.models import Session
from chat.admin.querysets import to_datetime
from chat.domain import DeliveryState
from chat.webhooks import deliveries
from chat.webhooks.deliveries import DeliveryWithSession

TEMPLATE = "admin/chat/deliveries.html"


@handle_store_errors
def page(request: HttpRequest) -> HttpResponse:
    """Show the deliveries of all sessions, ended ones too, that are in the state `?state=`.

    Raises:
        PermissionDenied: the user may not see sessions.
        Http404: there is no such state.
    """
    if not views.permissions(request)["view"]:
        raise PermissionDenied
    state = _state(request.GET.get("state", DeliveryState.WAITING))
    named, counts = deliveries.list_deliveries(state), deliveries.counts()
    context = {
        **admin.site.each_context(request),
        "title": "Deliveries",
        "state": state,
        "counts": counts,
        "deliveries": [_row(each) for each in named],
        "has_more": counts[state] > len(named),
    }
    return TemplateResponse(request, TEMPLATE, context)


def _state(name: str) -> DeliveryState:
    try:
        return DeliveryState(name)
    except ValueError as error:
        raise Http404 from error


def _row(named: DeliveryWithSession) -> dict[str, Any]:
    return {
        "id": named.session_id,
        "session": named.session and Session.from_row(named.session),
        "record": named.record,
        "at": to_datetime(named.record.at),
        "due": to_datetime(named.record.due_at),
    }
