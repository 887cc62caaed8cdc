"""The import page: open sessions from a file. Only superusers see it, because it shows tokens."""

from io import BytesIO
from typing import Any, BinaryIO

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.models import ADDITION
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from chat.admin import records
from chat.admin.models import Session
from chat.conversation import llms
from chat.domain.errors import InvalidRequest
from chat.settings import chat_settings
from chat.transcripts.jsonl import Transcript
from chat.transcripts.lines import parsed_lines
from chat.transcripts.restore import restore

TEMPLATE = "admin/chat/session/import.html"
# Sessions of a file, which are opened one after the other.
MAX_SESSIONS = 100
MAX_ERRORS = 20
HOUR = 3600


def page(request: HttpRequest) -> HttpResponse:
    """Show the form. POST opens a session for each line of a file, and shows their tokens.

    Raises:
        PermissionDenied: the user is no superuser.
        StoreFull, StoreUnavailable
    """
    if not (request.user.is_active and request.user.is_superuser):
        raise PermissionDenied
    file = request.FILES.get("file")
    if request.method != "POST":
        return _render(request, {})
    try:
        if file is None:
            raise InvalidRequest("Choose a file.")
        return _render(request, {"opened": _open(request, _parse(BytesIO(file.read())))})
    except InvalidRequest as error:
        messages.error(request, error.message)
        return _render(request, {"form": request.POST})


def _parse(file: BinaryIO) -> list[tuple[int, Transcript]]:
    """Return the conversations of a file with the numbers of their lines.

    Raises:
        InvalidRequest: a line is not valid, or there are none or too many.
    """
    valid: list[tuple[int, Transcript]] = []
    errors: list[str] = []
    for number, parsed in parsed_lines(file):
        if isinstance(parsed, Transcript):
            valid.append((number, parsed))
        else:
            errors.append(f"line {number}: {parsed.message}")
        if len(errors) == MAX_ERRORS:
            break
    if errors:
        raise InvalidRequest(f"No session was opened. {' '.join(errors)}")
    if not 0 < len(valid) <= MAX_SESSIONS:
        raise InvalidRequest(f"A file has 1 to {MAX_SESSIONS} conversations, not {len(valid):,}.")
    return valid


def _open(request: HttpRequest, transcripts: list[tuple[int, Transcript]]) -> list[dict[str, Any]]:
    form = request.POST
    model, ttl = form.get("model", ""), _ttl(form.get("hours", ""))
    if model not in llms.all_models():
        raise InvalidRequest("Choose a model.")
    opened = []
    for number, transcript in transcripts:
        token = restore(transcript, name=form.get("name", "").strip()[:200], model=model, ttl=ttl)
        session_id = token.partition(".")[0]
        records.record(request, f"session {session_id}", "Imported.", flag=ADDITION)
        opened.append({"line": number, "id": session_id, "token": token})
    return opened


def _ttl(hours: str) -> int:
    try:
        ttl = round(float(hours) * HOUR)
    except (ValueError, OverflowError) as error:
        raise InvalidRequest("Hours must be a number.") from error
    if not 1 <= ttl <= chat_settings.MAX_SESSION_TTL:
        raise InvalidRequest(f"At most {chat_settings.MAX_SESSION_TTL // HOUR} hours are allowed.")
    return ttl


def _render(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    context |= {
        **admin.site.each_context(request),
        "title": "Import sessions",
        "opts": Session._meta,  # noqa: SLF001
        "models": list(llms.all_models()),
        "default_model": chat_settings.DEFAULT_MODEL,
        "default_hours": chat_settings.SESSION_TTL // HOUR or 1,
        "max_mib": settings.DATA_UPLOAD_MAX_MEMORY_SIZE // 2**20,
        "max_sessions": MAX_SESSIONS,
    }
    return TemplateResponse(request, TEMPLATE, context, headers={"Cache-Control": "no-store"})
