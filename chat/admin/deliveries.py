"""The deliveries page: pending and finished webhook deliveries of all sessions."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse

from chat.admin import views
from chat.admin.errors import handle_store_errors
from chat.admin.models import Session
from chat.admin.querysets import to_datetime
from chat.domain import DeliveryGroup
from chat.webhooks import delivery_list
from chat.webhooks.delivery_list import DeliveryWithSession

TEMPLATE = "admin/chat/deliveries.html"


@handle_store_errors
def page(request: HttpRequest) -> HttpResponse:
    """Show the deliveries of the group `?group=`, including those of ended sessions.

    Raises:
        PermissionDenied: the user may not view sessions.
        Http404: unknown group.
    """
    views.require(request, "view")
    group = _parse_group(request.GET.get("group", DeliveryGroup.PENDING))
    listed, counts = delivery_list.list_deliveries(group), delivery_list.counts()
    return views.show(
        request,
        TEMPLATE,
        title="Deliveries",
        group=group,
        counts=counts,
        deliveries=[_row(delivery) for delivery in listed],
        has_more=counts[group] > len(listed),
    )


def _parse_group(name: str) -> DeliveryGroup:
    try:
        return DeliveryGroup(name)
    except ValueError as error:
        raise Http404 from error


def _row(delivery: DeliveryWithSession) -> dict[str, Any]:
    return {
        "session_id": delivery.session_id,
        "session": delivery.session and Session.from_row(delivery.session),
        "record": delivery.record,
        "at": to_datetime(delivery.record.at),
        "due_at": to_datetime(delivery.record.due_at),
    }
