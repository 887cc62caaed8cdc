"""The bans page: ban and unban addresses, API keys and users, and end their sessions."""

import time
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import ADDITION, DELETION
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from chat.accounts import bans, subjects
from chat.admin import records
from chat.admin.errors import handle_store_errors
from chat.admin.form_filters import opener_query
from chat.admin.querysets import to_datetime
from chat.admin.views import permissions
from chat.conversation import ending
from chat.domain.bans import Ban, Subject
from chat.domain.errors import InvalidRequest, NotFound

TEMPLATE = "admin/chat/bans.html"
CONFIRM_TEMPLATE = "admin/chat/end_sessions.html"
# Of one request that ends sessions.
MAX_SECONDS = 15.0
# Fields that name the subject of a ban, in the form and in links to it.
NAMES = ("address", "key", "user", "tenant")
EXPLANATION = "It takes effect within five seconds."


@handle_store_errors
def page(request: HttpRequest) -> HttpResponse:
    """Show the bans and a form, which the query can fill in. POST bans, unbans or ends sessions.

    Raises:
        PermissionDenied: the user may not end sessions.
    """
    if not permissions(request)["delete"]:
        raise PermissionDenied
    if request.method != "POST":
        return _render(request, request.GET)
    try:
        if "unban" in request.POST:
            _unban(request, request.POST["unban"])
        elif "end" in request.POST:
            return _confirm(request, _subject(request))
        elif "confirmed" in request.POST:
            _end(request, _subject(request))
        else:
            _ban(request, _subject(request))
    except (InvalidRequest, NotFound) as error:
        messages.error(request, error.message)
        return _render(request, request.POST)
    return HttpResponseRedirect(request.path)


def _subject(request: HttpRequest) -> Subject:
    fields = {name: request.POST.get(name, "").strip() for name in NAMES}
    return subjects.from_fields(**fields)


def _confirm(request: HttpRequest, subject: Subject) -> HttpResponse:
    context = {
        **admin.site.each_context(request),
        "title": f"End all sessions of {subject.label}: are you sure?",
        "fields": {name: request.POST.get(name, "") for name in NAMES},
    }
    return TemplateResponse(request, CONFIRM_TEMPLATE, context)


def _end(request: HttpRequest, subject: Subject) -> None:
    ended, is_complete = ending.end_sessions(
        subject, by=records.actor(request), max_seconds=MAX_SECONDS
    )
    records.log(request, subject.label, f"Ended {ended:,} sessions.", flag=DELETION)
    messages.success(request, f"Ended {ended:,} sessions of {subject.label}.")
    if not is_complete:
        messages.warning(request, "More sessions are left. Repeat, or use manage.py endsessions.")


def _ban(request: HttpRequest, subject: Subject) -> None:
    form = request.POST
    ban = bans.add(
        subject,
        by=records.actor(request),
        seconds=bans.parse_duration(form.get("for", "")),
        reason=form.get("reason", ""),
    )
    records.log(request, ban.label, f"Banned. {ban.reason}".strip(), flag=ADDITION)
    messages.success(request, f"Banned {ban.label}. {EXPLANATION}")


def _unban(request: HttpRequest, name: str) -> None:
    labels = {ban.subject: ban.label for ban in bans.list_bans()}
    subject = Subject(name=name, label=labels.get(name, name))
    bans.remove(subject, by=records.actor(request))
    records.log(request, subject.label, "Ended the ban.", flag=DELETION)
    messages.success(request, f"Ended the ban of {subject.label}. {EXPLANATION}")


def _render(request: HttpRequest, form: Any) -> HttpResponse:
    now = time.time()
    context = {
        **admin.site.each_context(request),
        "title": "Bans",
        "rows": [_row(ban, now) for ban in bans.list_bans()],
        "form": form,
    }
    return TemplateResponse(request, TEMPLATE, context, headers={"Cache-Control": "no-store"})


def _row(ban: Ban, now: float) -> dict[str, Any]:
    return {
        "ban": ban,
        "created_at": to_datetime(ban.created_at),
        "expires_at": to_datetime(ban.expires_at),
        "is_active": ban.is_active(now),
        "sessions_query": opener_query(ban.subject),
    }
