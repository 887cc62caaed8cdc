"""Sessions in the admin: the list, and the way to all that is done with one of them."""

from typing import Any

from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path, reverse

from chat.admin import session_actions, views
from chat.admin.actions import SessionActions
from chat.admin.changelist import SessionList
from chat.admin.errors import View, handle_store_errors
from chat.domain.errors import SessionExpired, SessionNotFound


class SessionAdmin(SessionActions, SessionList):
    """Sessions by their last activity; each leads to its conversation."""

    def get_urls(self) -> list[URLPattern]:
        """Add the pages of a session."""
        own = {
            "live/": self.live,
            "events/": self.events,
            "webhook/": self.webhook,
            "act/": self.run_session_action,
        }
        urls = [
            path(
                f"<session_id>/{place}",
                self.admin_site.admin_view(view),
                name=self._url_name(place),
            )
            for place, view in own.items()
        ]
        for each in (known := [*urls, *super().get_urls()]):
            each.callback = handle_store_errors(each.callback)
        return known

    def _url_name(self, place: str) -> str:
        return f"chat_session_{place.strip('/')}"

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",  # noqa: ARG002
        extra_context: Any = None,  # noqa: ARG002
    ) -> HttpResponse:
        """Show the conversation; nothing is changed by a form."""
        if request.method not in {"GET", "HEAD"}:
            return HttpResponseNotAllowed(["GET"])
        return self._session_page(request, object_id, views.conversation)

    def events(self, request: HttpRequest, session_id: str) -> HttpResponse:
        """Show the raw events."""
        return self._session_page(request, session_id, views.events)

    def webhook(self, request: HttpRequest, session_id: str) -> HttpResponse:
        """Show how telling the webhook has gone."""
        return self._session_page(request, session_id, views.webhook)

    def live(self, request: HttpRequest, session_id: str) -> HttpResponse:
        """Tell what has changed."""
        self._check(request, "view")
        return views.live(request, unquote(session_id))

    def _session_page(self, request: HttpRequest, session_id: str, page: View) -> HttpResponse:
        self._check(request, "view")
        session = self.get_object(request, unquote(session_id))
        try:
            if session is not None:
                return page(request, session)
        except (SessionNotFound, SessionExpired):  # it ended just now, and is about to be removed
            pass
        return self._not_found(request, session_id)

    def _not_found(self, request: HttpRequest, session_id: str) -> HttpResponse:
        return self._get_obj_does_not_exist_redirect(request, self.opts, session_id)  # type: ignore[attr-defined, no-any-return]

    def _check(self, request: HttpRequest, permission: str) -> None:
        if not views.permissions(request)[permission]:
            raise PermissionDenied

    def run_session_action(self, request: HttpRequest, session_id: str) -> HttpResponse:
        """Do what a button of the session's page says: `act` is `<act>` or `<act> <message id>`."""
        name, _, message_id = request.POST.get("act", "").partition(" ")
        chosen = self.get_queryset(request).filter(pk=unquote(session_id))
        if request.method != "POST" or (
            name != "export" and name not in session_actions.SESSION_ACTIONS
        ):
            return HttpResponseNotAllowed(["POST"])
        self._check(
            request, name if name == "export" else session_actions.SESSION_ACTIONS[name].permission
        )
        if not chosen:
            return self._not_found(request, session_id)
        if name == "export":
            return self.export(request, chosen)
        done = self.run_action(request, name, chosen, message_id)
        return done or HttpResponseRedirect(
            _redirect_target(session_actions.SESSION_ACTIONS[name], session_id)
        )


def _redirect_target(act: session_actions.SessionAction, session_id: str) -> str:
    """Return where to go when it is done."""
    if not act.place:
        return reverse("admin:chat_session_changelist")
    return reverse(f"admin:chat_session_{act.place}", args=[session_id])
