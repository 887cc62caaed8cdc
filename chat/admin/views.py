"""The pages of a session: conversation with live updates, raw events, webhook deliveries."""

import json
from itertools import groupby
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
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

MESSAGES_PER_PAGE = 50
EVENTS_PER_PAGE = 200
# Maximum digits of a number in the query string: Lua's numbers are exact up to there.
MAX_DIGITS = 15
TEMPLATES = "admin/chat/session/"


def permissions(request: HttpRequest) -> dict[str, bool]:
    """Return whether the user may `view`, `change`, `delete`, `redact` and `export` sessions.

    As everywhere in Django's admin, `change` implies `view`. The others require `view`.
    """
    names = ("view", "change", "delete", "redact", "export")
    has = {name: request.user.has_perm(f"chat.{name}_session") for name in names}
    can_view = has["view"] or has["change"]
    return {name: can_view and (has[name] or name == "view") for name in names}


def require(request: HttpRequest, permission: str) -> None:
    """Raise `PermissionDenied` unless the user has it."""
    if not permissions(request)[permission]:
        raise PermissionDenied


def show(request: HttpRequest, template: str, **context: Any) -> TemplateResponse:
    """Return a page of the admin, such as with a `title`."""
    return TemplateResponse(request, template, {**admin.site.each_context(request), **context})


def base_context(request: HttpRequest, session: Session, title: str) -> dict[str, Any]:
    """Return the template context that all pages of a session share."""
    return {
        **admin.site.each_context(request),
        "title": title,
        "opts": Session._meta,  # noqa: SLF001
        "session": session,
        "can": permissions(request),
        "actions": SESSION_ACTIONS,
    }


def conversation(request: HttpRequest, session: Session) -> HttpResponse:
    """Show a page of messages: the newest, or those before or after a number."""
    before, after = int_param(request, "before"), int_param(request, "after")
    snapshot = sessions.read(Caller.internal(session.pk), limit=0)
    messages, has_older, has_newer = _messages(session.pk, before, after)
    context = base_context(request, session, str(session)) | {
        "settings": _settings(snapshot),
        "conversation": messages,
        "older": messages[0].number if has_older and messages else None,
        "newer": messages[-1].number if has_newer and messages else None,
        "is_live": not has_newer,
    }
    return TemplateResponse(request, TEMPLATES + "conversation.html", context)


def _messages(
    session_id: str, before: int | None, after: int | None
) -> tuple[list[Message], bool, bool]:
    """Return a page of messages, oldest first, and whether there are older and newer ones."""
    size = MESSAGES_PER_PAGE
    messages = Message.objects.filter(session=session_id)
    if after is not None:
        found = list(messages.filter(number__gt=after).order_by("number")[: size + 1])
        return found[:size], True, len(found) > size
    if before is not None:
        messages = messages.filter(number__lt=before)
    found = list(messages.order_by("-number")[: size + 1])
    return found[:size][::-1], len(found) > size, before is not None


def _settings(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "system_prompt": json.loads(snapshot.system_prompt) or "",
        "context": snapshot.context.decode(),
        "metadata": snapshot.metadata.decode(),
    }


def webhook(request: HttpRequest, session: Session) -> HttpResponse:
    """Show the session's webhook and its deliveries, newest first."""
    snapshot = sessions.read(Caller.internal(session.pk), limit=0)
    records = delivery.list_for_session(session.pk)
    context = base_context(request, session, f"Webhook of {session}") | {
        "url": json.loads(snapshot.webhook_url),
        "has_default_webhook": has_webhook(),
        "deliveries": [
            (record, to_datetime(record.at), to_datetime(record.due_at)) for record in records
        ],
    }
    return TemplateResponse(request, TEMPLATES + "webhook.html", context)


def live(request: HttpRequest, session_id: str) -> HttpResponse:
    """Return, as JSON, what has changed on the newest page since the seq `?after=`.

    `seqs` lists all messages of the page, so that the client can remove messages that are gone, and
    notice that it lacks some.
    """
    try:
        snapshot = sessions.read(Caller.internal(session_id), limit=0)
    except (SessionNotFound, SessionExpired):
        return _json_response({"is_gone": True})
    session = Session.objects.filter(pk=session_id).first()
    if session is None:
        return _json_response({"is_gone": True})
    context = {
        "session": session,
        "can": permissions(request),
        "actions": SESSION_ACTIONS,
        "settings": _settings(snapshot),
    }
    update = {
        "seq": snapshot.seq,
        "title": str(session),
        "facts": _render("facts.html", context),
        "buttons": _render("buttons.html", context),
        "settings": _render("settings.html", context),
    }
    known = int_param(request, "after") or 0
    if known != snapshot.seq:
        update |= _new_messages(context, known if known < snapshot.seq else 0)
    return _json_response(update)


def _new_messages(context: dict[str, Any], known: int) -> dict[str, Any]:
    """Return ids and seqs of the newest page, and the messages that changed since `known`.

    Open replies are always included: their queue position changes without an event of theirs.
    """
    messages, has_older, _ = _messages(context["session"].pk, None, None)
    return {
        "older": messages[0].number if has_older else None,
        "seqs": [(message.message_id, message.seq) for message in messages],
        "messages": [
            {
                "id": message.message_id,
                "html": _render("message.html", context | {"message": message}),
            }
            for message in messages
            if message.seq > known or message.is_open
        ],
    }


def _render(template: str, context: dict[str, Any]) -> str:
    return render_to_string(TEMPLATES + template, context)


def _json_response(data: dict[str, Any]) -> HttpResponse:
    return JsonResponse(data, headers={"Cache-Control": "no-store"})


def events(request: HttpRequest, session: Session) -> HttpResponse:
    """Show the events in the session's log, oldest first; consecutive deltas are one entry."""
    after = int_param(request, "after") or 0
    page = sessions.events(Caller.internal(session.pk), after=after, limit=EVENTS_PER_PAGE)
    found = [json.loads(event) for event in page.events]
    last = found[-1]["seq"] if found else page.seq
    context = base_context(request, session, f"Events of {session}") | {
        "entries": [_log_entry(list(group)) for _, group in groupby(found, key=_delta_of)],
        "earliest": page.earliest,
        "newest": page.seq,
        "next": last if last < page.seq else None,
    }
    return TemplateResponse(request, TEMPLATES + "events.html", context)


def _delta_of(event: dict[str, Any]) -> tuple[str, int]:
    """Return the message to which a delta belongs; other events are unique."""
    is_delta = event["type"] == "message.delta"
    return (event["message_id"], 0) if is_delta else ("", event["seq"])


def _log_entry(group: list[dict[str, Any]]) -> dict[str, Any]:
    first, last = group[0], group[-1]
    return {
        "first": first,
        "last": last,
        "at": f"{to_datetime(first['created_at']):%Y-%m-%d %H:%M:%S.%f}"[:-3],
        "duration": last["created_at"] - first["created_at"],
        "count": len(group),
        "text": "".join(event.get("delta", "") for event in group),
        "raw": "\n".join(json.dumps(event, indent=2, ensure_ascii=False) for event in group),
    }


def int_param(request: HttpRequest, name: str) -> int | None:
    """Return a number from the query string, or `None` if it is missing.

    Raises:
        Http404: the value is not a number.
    """
    text = request.GET.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS):
        raise Http404
    return int(text)
