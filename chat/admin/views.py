"""The pages of one session: its conversation, what has become of it since, its raw events."""

import json
from typing import Any

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse

from chat.admin.models import Message, Session
from chat.admin.querysets import to_datetime
from chat.admin.session_actions import SESSION_ACTIONS
from chat.conversation import sessions
from chat.domain import Caller, Snapshot
from chat.domain.errors import SessionExpired, SessionNotFound
from chat.settings import has_webhook
from chat.webhooks import delivery

# Messages shown at once.
MESSAGES_PER_PAGE = 50
# Events shown at once.
EVENTS_PER_PAGE = 200
# Of the greatest number that is asked for; Lua counts as far.
MAX_DIGITS = 15
TEMPLATES = "admin/chat/session/"


def permissions(request: HttpRequest) -> dict[str, bool]:
    """Return what the user may do with sessions, by name of the permission.

    Who may change them may see them, as everywhere in Django's admin; who may do neither can do
    nothing else with what is not to be seen.
    """
    names = ("view", "change", "delete", "redact", "export")
    has = {name: request.user.has_perm(f"chat.{name}_session") for name in names}
    may_see = has["view"] or has["change"]
    return {name: may_see and (has[name] or name == "view") for name in names}


def base_context(request: HttpRequest, session: Session, title: str) -> dict[str, Any]:
    """Return what every page of a session is rendered with."""
    return {
        **admin.site.each_context(request),
        "title": title,
        "opts": Session._meta,  # noqa: SLF001
        "session": session,
        "may": permissions(request),
        "acts": SESSION_ACTIONS,
    }


def conversation(request: HttpRequest, session: Session) -> HttpResponse:
    """Show a page of messages, the newest unless another is asked for."""
    before, after = int_param(request, "before"), int_param(request, "after")
    found = sessions.read(Caller(session_id=session.pk), limit=0)
    messages, older, newer = _messages(session.pk, before, after)
    context = base_context(request, session, str(session)) | {
        "settled": _settings_context(found),
        "messages_shown": messages,
        "older": messages[0].number if older and messages else None,
        "newer": messages[-1].number if newer and messages else None,
        "is_live": not newer,
    }
    return TemplateResponse(request, TEMPLATES + "conversation.html", context)


def _messages(
    session_id: str, before: int | None, after: int | None
) -> tuple[list[Message], bool, bool]:
    """Return a page of messages, oldest first, and whether there are older and newer ones."""
    every = Message.objects.filter(session=session_id)
    if after is not None:
        found = list(every.filter(number__gt=after).order_by("number")[: MESSAGES_PER_PAGE + 1])
        return found[:MESSAGES_PER_PAGE], True, len(found) > MESSAGES_PER_PAGE
    if before is not None:
        every = every.filter(number__lt=before)
    found = list(every.order_by("-number")[: MESSAGES_PER_PAGE + 1])
    return found[:MESSAGES_PER_PAGE][::-1], len(found) > MESSAGES_PER_PAGE, before is not None


def _settings_context(found: Snapshot) -> dict[str, Any]:
    """Return what the session was opened with, or has been given since."""
    return {
        "system_prompt": json.loads(found.system_prompt) or "",
        "context": found.context.decode(),
        "metadata": found.metadata.decode(),
    }


def webhook(request: HttpRequest, session: Session) -> HttpResponse:
    """Show the session's deliveries, the newest first."""
    found = sessions.read(Caller(session_id=session.pk), limit=0)
    records = delivery.list_for_session(session.pk)
    context = base_context(request, session, f"Webhook of {session}") | {
        "url": json.loads(found.webhook_url),
        "deployments": has_webhook(),
        "deliveries": [(each, to_datetime(each.at), to_datetime(each.due_at)) for each in records],
    }
    return TemplateResponse(request, TEMPLATES + "webhook.html", context)


def live(request: HttpRequest, session_id: str) -> HttpResponse:
    """Tell how the newest page stands, and those of its messages that the tail may not know.

    `after` is the seq that the tail has seen. All names are told, so whatever the tail shows that
    is no longer there (after a reset), and whatever it lacks, is found by it.
    """
    caller = Caller(session_id=session_id)
    try:
        found = sessions.read(caller, limit=0)
    except (SessionNotFound, SessionExpired):
        return _json_response({"is_gone": True})
    session = Session.objects.filter(pk=session_id).first()
    if session is None:
        return _json_response({"is_gone": True})
    context = {"session": session, "may": permissions(request), "settled": _settings_context(found)}
    told = {
        "seq": found.seq,
        "title": str(session),
        "facts": _render("facts.html", context),
        "settled": _render("settled.html", context),
    }
    known = int_param(request, "after") or 0
    if known != found.seq:
        told |= _new_messages(context, known if known < found.seq else 0)
    return _json_response(told)


def _new_messages(context: dict[str, Any], known: int) -> dict[str, Any]:
    """Return the newest page: its names with their seqs, and what has changed since `known`.

    What waits is told again each time: its place changes by the ends of others.
    """
    messages, has_older, _ = _messages(context["session"].pk, None, None)
    return {
        "older": messages[0].number if has_older else None,
        "names": [(each.name, each.seq) for each in messages],
        "messages": [
            {"id": each.name, "html": _render("message.html", context | {"it": each})}
            for each in messages
            if each.seq > known or each.is_open
        ],
    }


def _render(template: str, context: dict[str, Any]) -> str:
    return render_to_string(TEMPLATES + template, context)


def _json_response(told: dict[str, Any]) -> HttpResponse:
    return JsonResponse(told, headers={"Cache-Control": "no-store"})


def events(request: HttpRequest, session: Session) -> HttpResponse:
    """Show the raw events that are kept of the session, oldest first."""
    after = int_param(request, "after") or 0
    page = sessions.events(Caller(session_id=session.pk), after=after, limit=EVENTS_PER_PAGE)
    found = [json.loads(event) for event in page.events]
    last = found[-1]["seq"] if found else page.seq
    context = base_context(request, session, f"Events of {session}") | {
        "events": [(event, json.dumps(event, indent=2, ensure_ascii=False)) for event in found],
        "earliest": page.earliest,
        "newest": page.seq,
        "next": last if last < page.seq else None,
    }
    return TemplateResponse(request, TEMPLATES + "events.html", context)


def int_param(request: HttpRequest, name: str) -> int | None:
    """Return a number of the query string.

    Raises:
        Http404: it is none.
    """
    text = request.GET.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS):
        raise Http404
    return int(text)
