"""Sessions in the admin: the list, and the pages and actions of each session."""

from typing import Any

from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path, reverse

from chat.admin import import_page, views
from chat.admin.actions import SessionActions
from chat.admin.changelist import SessionList
from chat.admin.errors import View, handle_store_errors
from chat.admin.session_actions import SESSION_ACTIONS, SessionAction
from chat.domain.errors import SessionExpired, SessionNotFound


class SessionAdmin(SessionActions, SessionList):
    """Sessions, most recently active first, with their pages and actions."""

    def get_urls(self) -> list[URLPattern]:
        """Add the pages of a session; each shows an error page if Redis is unavailable."""
        pages = {
            "live": self.live,
            "events": self.events,
            "webhook": self.webhook,
            "action": self.session_action,
        }
        urls = [
            path(
                f"<session_id>/{name}/",
                self.admin_site.admin_view(view),
                name=f"chat_session_{name}",
            )
            for name, view in pages.items()
        ]
        import_view = self.admin_site.admin_view(import_page.page)
        urls += [path("import/", import_view, name="chat_session_import"), *super().get_urls()]
        for url in urls:
            url.callback = handle_store_errors(url.callback)
        return urls

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",  # noqa: ARG002
        extra_context: Any = None,  # noqa: ARG002
    ) -> HttpResponse:
        """Show the conversation. There is no form to submit."""
        if request.method not in {"GET", "HEAD"}:
            return HttpResponseNotAllowed(["GET"])
        return self._session_page(request, object_id, views.conversation)

    def events(self, request: HttpRequest, session_id: str) -> HttpResponse:
        return self._session_page(request, session_id, views.events)

    def webhook(self, request: HttpRequest, session_id: str) -> HttpResponse:
        return self._session_page(request, session_id, views.webhook)

    def live(self, request: HttpRequest, session_id: str) -> HttpResponse:
        """Return the changes of a conversation as JSON."""
        self._check(request, "view")
        return views.live(request, unquote(session_id))

    def session_action(self, request: HttpRequest, session_id: str) -> HttpResponse:
        """Run the action of a button: `session_action` is its name, or name and message id."""
        name, _, message_id = request.POST.get("session_action", "").partition(" ")
        sessions = self.get_queryset(request).filter(pk=unquote(session_id))
        is_export = name == "export"
        if request.method != "POST" or not (is_export or name in SESSION_ACTIONS):
            return HttpResponseNotAllowed(["POST"])
        self._check(request, name if is_export else SESSION_ACTIONS[name].permission)
        if not sessions:
            return self._not_found(request, session_id)
        if is_export:
            return self.export(request, sessions)
        confirmation = self.run_action(request, name, sessions, message_id)
        return confirmation or HttpResponseRedirect(_next_url(SESSION_ACTIONS[name], session_id))

    def _session_page(self, request: HttpRequest, session_id: str, page: View) -> HttpResponse:
        self._check(request, "view")
        session = self.get_object(request, unquote(session_id))
        try:
            if session is not None:
                return page(request, session)
        except (SessionNotFound, SessionExpired):  # it has just ended
            pass
        return self._not_found(request, session_id)

    def _not_found(self, request: HttpRequest, session_id: str) -> HttpResponse:
        return self._get_obj_does_not_exist_redirect(request, self.opts, session_id)  # type: ignore[attr-defined, no-any-return]

    def _check(self, request: HttpRequest, permission: str) -> None:
        if not views.permissions(request)[permission]:
            raise PermissionDenied


def _next_url(action: SessionAction, session_id: str) -> str:
    if not action.next_page:
        return reverse("admin:chat_session_changelist")
    return reverse(f"admin:chat_session_{action.next_page}", args=[session_id])
