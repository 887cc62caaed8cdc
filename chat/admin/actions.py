"""Actions on sessions, from the list or from the buttons of a session's page."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from chat.admin import views
from chat.admin.base import ModelAdmin
from chat.admin.models import Session
from chat.admin.querysets import MAX_OBJECTS
from chat.admin.session_actions import SESSION_ACTIONS, SessionAction
from chat.conversation import staff
from chat.domain.errors import ParleyError, SessionExpired, SessionNotFound, StoreUnavailable
from chat.transcripts import export, jsonl

# Bytes of an export, which is built in memory.
MAX_EXPORT_BYTES = 64 * 1024 * 1024
TOO_LARGE = "The export is larger than 64 MiB. Select fewer sessions, or use manage.py export."
# Sessions whose results are reported by name; the results of more are counted.
MAX_NAMED = 5


class SessionActions(ModelAdmin):
    """Checks permissions, asks for confirmation, runs actions and records them in the log."""

    actions = ("cancel", "requeue", "expire", "export", "export_turns")

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        """Return False: clients open sessions through the API."""
        return False

    def has_delete_permission(
        self,
        request: HttpRequest,
        obj: Session | None = None,  # noqa: ARG002
    ) -> bool:
        return views.permissions(request)["delete"]

    def has_redact_permission(self, request: HttpRequest) -> bool:
        return views.permissions(request)["redact"]

    def has_export_permission(self, request: HttpRequest) -> bool:
        return views.permissions(request)["export"]

    def response_action(  # type: ignore[override]  # the stubs are of a newer Django
        self, request: HttpRequest, queryset: Any
    ) -> HttpResponse | None:
        """Run the action, unless more sessions are selected than can be read at once."""
        if request.POST.get("select_across") == "1" and queryset.count() > MAX_OBJECTS:
            error = f"Actions apply to at most {MAX_OBJECTS:,} sessions. Narrow the list down."
            self.message_user(request, error, messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())
        return super().response_action(request, queryset)

    @admin.action(description="Cancel open turns", permissions=["change"])
    def cancel(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        return self.run_action(request, "cancel", queryset)

    @admin.action(description="Requeue the next turn", permissions=["change"])
    def requeue(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        return self.run_action(request, "requeue", queryset)

    @admin.action(description="Expire", permissions=["delete"])
    def expire(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        return self.run_action(request, "expire", queryset)

    @admin.action(description="Export as JSON lines", permissions=["export"])
    def export(self, request: HttpRequest, queryset: Iterable[Session]) -> HttpResponse:
        """Return a file with a line of JSON per session."""
        lines = ((session, _export_line(session.pk)) for session in queryset)
        return self._file_response(request, lines, "sessions.jsonl")

    @admin.action(description="Export completed turns for fine-tuning", permissions=["export"])
    def export_turns(self, request: HttpRequest, queryset: Iterable[Session]) -> HttpResponse:
        """Return a file with the conversations, in the chat fine-tuning format."""
        choice = export.ExportFilter()
        lines = ((session, export.line(session.pk, choice)) for session in queryset)
        return self._file_response(request, lines, "conversations.jsonl")

    def _file_response(
        self, request: HttpRequest, lines: Iterable[tuple[Session, bytes]], name: str
    ) -> HttpResponse:
        """Return the lines as a file, and record the export of each session that has one."""
        exported: dict[Session, bytes] = {}
        size = 0
        for session, line in lines:
            size += len(line)
            if size > MAX_EXPORT_BYTES:
                self.message_user(request, TOO_LARGE, messages.ERROR)
                return HttpResponseRedirect(request.get_full_path())
            if line:
                exported[session] = line
        response = HttpResponse(b"".join(exported.values()), content_type="application/x-ndjson")
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        response["Cache-Control"] = "no-store"
        for session in exported:
            self.log_change(request, session, "Exported.")
        return response

    def run_action(
        self, request: HttpRequest, name: str, sessions: Any, message_id: str = ""
    ) -> HttpResponse | None:
        """Run the action on each session and report the results to the user.

        If the action has a warning, return a confirmation page first.
        """
        action = SESSION_ACTIONS[name]
        if action.warning and "confirmed" not in request.POST:
            return self._confirm(request, action, sessions, message_id)
        results: dict[tuple[int, str], list[Session]] = defaultdict(list)
        try:
            for session in sessions:
                results[self._run_and_log(request, action, session, message_id)].append(session)
        finally:  # report what was done even if Redis fails halfway
            for (level, message), affected in results.items():
                is_short = len(affected) <= MAX_NAMED
                labels = map(str, affected) if is_short else [f"{len(affected):,} sessions"]
                for label in labels:
                    self.message_user(request, f"{label}: {message}", level)
        return None

    def _run_and_log(
        self, request: HttpRequest, action: SessionAction, session: Session, message_id: str
    ) -> tuple[int, str]:
        """Run the action on one session; return level and text of the message to the user."""
        try:
            result = action.run(session.pk, message_id)
        except StoreUnavailable:
            raise
        except ParleyError as error:
            return messages.ERROR, error.message
        if not result.has_effect:
            return messages.WARNING, result.message
        self.log_change(request, session, result.message)
        return messages.SUCCESS, result.message

    def _confirm(
        self, request: HttpRequest, action: SessionAction, sessions: Any, message_id: str
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": f"{action.label}: are you sure?",
            "opts": self.opts,
            "action": action,
            "sessions": sessions,
            "message_id": message_id,
            "is_from_list": "action" in request.POST,
        }
        return TemplateResponse(request, views.TEMPLATES + "confirm.html", context)

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[Any]]:
        """Return the names of the sessions. No other model depends on them."""
        allowed = self.has_delete_permission(request)
        names = [str(session) for session in objs]
        return names, {"sessions": len(names)}, set() if allowed else {"session"}, []

    def delete_model(self, request: HttpRequest, obj: Session) -> None:  # noqa: ARG002
        """Delete the session with all its keys."""
        staff.delete(obj.pk)


def _export_line(session_id: str) -> bytes:
    """Return a session as a line of JSON, or `b""` if it has ended."""
    try:
        return jsonl.escape_line_ends(b"".join(staff.stream_json(session_id)))
    except (SessionNotFound, SessionExpired):
        return b""
