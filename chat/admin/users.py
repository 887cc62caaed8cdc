"""The page of a user: their sessions, and the deletion of everything that is stored of them."""

from typing import Any, cast
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.admin.models import DELETION, LogEntry
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from chat.admin import views
from chat.admin.errors import handle_store_errors
from chat.admin.models import Session
from chat.conversation import session_search, users
from chat.conversation.users import Position
from chat.domain import Principal

TEMPLATE = "admin/chat/user.html"
PAGE_SIZE = 50


@handle_store_errors
def page(request: HttpRequest) -> HttpResponse:
    """Show the sessions of `?user=` in `?tenant=`; POST deletes everything that is stored of them.

    Raises:
        PermissionDenied: the user may not view sessions, or not delete them with POST.
        Http404: no user is named.
    """
    can = views.permissions(request)
    views.require(request, "delete" if request.method == "POST" else "view")
    principal = Principal(tenant=request.GET.get("tenant", ""), user=request.GET.get("user", ""))
    if not principal.user:
        raise Http404
    if request.method == "POST" and "confirmed" in request.POST:
        return _erase(request, principal)
    found = users.list_sessions(principal, query="", before=_before(request), limit=PAGE_SIZE)
    return views.show(
        request,
        TEMPLATE,
        title=f"User {principal.user}",
        principal=principal,
        can=can,
        is_confirmation=request.method == "POST",
        sessions=_sessions([each.id for each in found.sessions]),
        next=found.next and _next_query(principal, found.next),
    )


def _sessions(session_ids: list[str]) -> list[Session]:
    return [Session.from_row(row) for row in session_search.get_many(session_ids)]


def _before(request: HttpRequest) -> Position | None:
    active_at = views.int_param(request, "before")
    if active_at is None:
        return None
    return Position(active_at=active_at, session_id=request.GET.get("id", ""))


def _next_query(principal: Principal, position: Position) -> str:
    fields: dict[str, Any] = {"tenant": principal.tenant, "user": principal.user}
    return urlencode(fields | {"before": position.active_at, "id": position.session_id})


def _erase(request: HttpRequest, principal: Principal) -> HttpResponse:
    erased = users.erase(principal)
    LogEntry.objects.create(
        user_id=cast("int", request.user.pk),
        action_flag=DELETION,
        # Without the user's name: the entry stays.
        object_repr=principal.identity().owner,
        change_message=f"Deleted everything of a user: {erased:,} sessions.",
    )
    messages.success(request, f"Deleted {erased:,} sessions of {principal.user}.")
    return HttpResponseRedirect(reverse("admin:chat_session_changelist"))
