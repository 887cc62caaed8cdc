"""What is done with sessions: from the list, or by a button of a session's page."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from chat.admin import session_actions, views
from chat.admin.base import Base
from chat.admin.models import Session
from chat.admin.querysets import MAX_OBJECTS
from chat.conversation import staff
from chat.domain.errors import ParleyError, SessionExpired, SessionNotFound, StoreUnavailable
from chat.transcripts import export

# Sessions of which each is told by its name how an act went; more are counted.
MAX_NAMED = 5


class SessionActions(Base):
    """Each is asked for by who may, confirmed where it destroys, and written to the admin's log."""

    actions = ("cancel", "requeue", "expire", "export", "export_turns")

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        """Sessions are opened by their owners."""
        return False

    def has_delete_permission(
        self,
        request: HttpRequest,
        obj: Session | None = None,  # noqa: ARG002
    ) -> bool:
        """Whether the user may end sessions, which they must see to do."""
        return views.permissions(request)["delete"]

    def has_redact_permission(self, request: HttpRequest) -> bool:
        """Whether the user may take texts away."""
        return views.permissions(request)["redact"]

    def has_export_permission(self, request: HttpRequest) -> bool:
        """Whether the user may take conversations out."""
        return views.permissions(request)["export"]

    def response_action(  # type: ignore[override]  # the stubs are of a newer Django
        self, request: HttpRequest, queryset: Any
    ) -> HttpResponse | None:
        """Refuse to act on more sessions than can be read at once."""
        if request.POST.get("select_across") == "1" and queryset.count() > MAX_OBJECTS:
            told = f"Actions take {MAX_OBJECTS:,} sessions at most: narrow the list down."
            self.message_user(request, told, messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())
        return super().response_action(request, queryset)

    @admin.action(description="Cancel what is open", permissions=["change"])
    def cancel(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        """Cancel all open turns of each."""
        return self.run_action(request, "cancel", queryset)

    @admin.action(description="Requeue the next turn", permissions=["change"])
    def requeue(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        """Have the next turn of each begun at once."""
        return self.run_action(request, "requeue", queryset)

    @admin.action(description="Expire", permissions=["delete"])
    def expire(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        """End each."""
        return self.run_action(request, "expire", queryset)

    @admin.action(description="Export as JSON lines", permissions=["export"])
    def export(self, request: HttpRequest, queryset: Iterable[Session]) -> HttpResponse:
        """Send each as a line of JSON."""
        lines = {session: _export_line(session.pk) for session in queryset}
        return self._file_response(request, lines, "sessions.jsonl")

    @admin.action(description="Export completed turns for fine-tuning", permissions=["export"])
    def export_turns(self, request: HttpRequest, queryset: Iterable[Session]) -> HttpResponse:
        """Send the conversation of each as a line in the chat fine-tuning format."""
        lines = {session: export.line(session.pk, export.ExportFilter()) for session in queryset}
        return self._file_response(request, lines, "conversations.jsonl")

    def _file_response(
        self, request: HttpRequest, lines: Mapping[Session, bytes], name: str
    ) -> HttpResponse:
        """Send lines as a file, and note of each session of which there is one that it was."""
        response = HttpResponse(b"".join(lines.values()), content_type="application/x-ndjson")
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        response["Cache-Control"] = "no-store"
        for session, line in lines.items():
            if line:
                self.log_change(request, session, "Exported.")
        return response

    def run_action(
        self, request: HttpRequest, name: str, chosen: Any, message_id: str = ""
    ) -> HttpResponse | None:
        """Do it to each, or ask first where something is lost by it; write it to the log."""
        act = session_actions.SESSION_ACTIONS[name]
        if act.warning and "confirmed" not in request.POST:
            return self._confirm(request, act, chosen, message_id)
        ends: dict[tuple[int, str], list[Session]] = defaultdict(list)
        try:
            for session in chosen:
                ends[self._report(request, act, session, message_id)].append(session)
        finally:  # Redis may be lost on the way
            for (level, told), of in ends.items():
                whose = map(str, of) if len(of) <= MAX_NAMED else [f"{len(of):,} sessions"]
                for each in whose:
                    self.message_user(request, f"{each}: {told}", level)
        return None

    def _report(
        self,
        request: HttpRequest,
        act: session_actions.SessionAction,
        session: Session,
        message_id: str,
    ) -> tuple[int, str]:
        """Do it to one; return how it went."""
        try:
            done = act.run(session.pk, message_id)
        except StoreUnavailable:
            raise
        except ParleyError as error:
            return messages.ERROR, error.message
        if not done.is_new:
            return messages.WARNING, done.told
        self.log_change(request, session, done.told)
        return messages.SUCCESS, done.told

    def _confirm(
        self, request: HttpRequest, act: session_actions.SessionAction, chosen: Any, message_id: str
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": f"{act.label}: are you sure?",
            "opts": self.opts,
            "act": act,
            "chosen": chosen,
            "message_id": message_id,
            "is_of_list": "action" in request.POST,
        }
        return TemplateResponse(request, views.TEMPLATES + "confirm.html", context)

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[Any]]:
        """Name what goes with a session: nothing that the admin knows of."""
        allowed = self.has_delete_permission(request)
        names = [str(session) for session in objs]
        return names, {"sessions": len(names)}, set() if allowed else {"session"}, []

    def delete_model(self, request: HttpRequest, obj: Session) -> None:  # noqa: ARG002
        """Remove every trace of it."""
        staff.delete(obj.pk)


def _export_line(session_id: str) -> bytes:
    """Return a session as a line; nothing if it has ended meanwhile."""
    try:
        return b"".join(staff.stream_json(session_id))
    except (SessionNotFound, SessionExpired):
        return b""
