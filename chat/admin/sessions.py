"""Sessions in the admin: the list, and the way to all that is done with one of them."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import wraps
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from chat.admin import acts, pages
from chat.admin.filters import ActivityFilter
from chat.errors import ParleyError, StoreUnavailable
from chat.models import Session
from chat.querysets import MOST
from chat.services import staff

View = Callable[..., HttpResponse]


if TYPE_CHECKING:
    Base = admin.ModelAdmin[Session]
else:  # at run time it takes no parameter
    Base = admin.ModelAdmin


class SessionAdmin(Base):
    """Sessions by their last activity; each leads to its conversation."""

    list_display = ("shown_name", "id", "status", "model", "messages", "active_ago")
    list_display_links = ("shown_name", "id")
    list_filter = (ActivityFilter,)
    list_per_page = 50
    list_max_show_all = 0
    sortable_by = ()
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False
    search_fields = ("id",)
    search_help_text = (
        f"A whole ID is found among all sessions; the start of an ID, or a part of a name, among "
        f"the {staff.SEARCHED:,} of the latest activity."
    )
    actions = ("cancel", "requeue", "expire", "export")

    class Media:
        css = {"all": ["admin_chat/list.css"]}

    @admin.display(description="name")
    def shown_name(self, session: Session) -> str:
        """Something to click on."""
        return session.name or "(no name)"

    @admin.display(description="active")
    def active_ago(self, session: Session) -> str:
        """The age of the last activity."""
        return f"{_rounded(timezone.now() - session.last_active_at)} ago"

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Show the list; nothing in it is changed by a form."""
        return super().changelist_view(request, {"title": "Sessions", **(extra_context or {})})

    def get_search_results(
        self,
        request: HttpRequest,  # noqa: ARG002
        queryset: Any,
        search_term: str,
    ) -> tuple[Any, bool]:
        """Search as the store can."""
        return (queryset.search(search_term) if search_term.strip() else queryset), False

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        """Sessions are opened by their owners."""
        return False

    def has_redact_permission(self, request: HttpRequest) -> bool:
        """Whether the user may take texts away."""
        return pages.permitted(request)["redact"]

    def has_export_permission(self, request: HttpRequest) -> bool:
        """Whether the user may take conversations out."""
        return pages.permitted(request)["export"]

    def get_urls(self) -> list[URLPattern]:
        """Add the pages of a session."""
        own = {"live/": self.live, "events/": self.events, "act/": self.act}
        urls = [
            path(f"<session_id>/{place}", self.admin_site.admin_view(view), name=self._name(place))
            for place, view in own.items()
        ]
        for each in (known := [*urls, *super().get_urls()]):
            each.callback = telling_of_trouble(each.callback)
        return known

    def _name(self, place: str) -> str:
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
        return self._shown(request, object_id, pages.conversation)

    def events(self, request: HttpRequest, session_id: str) -> HttpResponse:
        """Show the raw events."""
        return self._shown(request, session_id, pages.events)

    def live(self, request: HttpRequest, session_id: str) -> HttpResponse:
        """Tell what has changed."""
        self._check(request, "view")
        return pages.live(request, unquote(session_id))

    def _shown(self, request: HttpRequest, session_id: str, page: View) -> HttpResponse:
        self._check(request, "view")
        session = self.get_object(request, unquote(session_id))
        if session is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, session_id)  # type: ignore[attr-defined, no-any-return]
        return page(request, session)

    def _check(self, request: HttpRequest, permission: str) -> None:
        """Let a change or a deletion be seen by who may make it, as Django does."""
        may = pages.permitted(request)
        if not (may[permission] or (permission == "view" and may["change"])):
            raise PermissionDenied

    def act(self, request: HttpRequest, session_id: str) -> HttpResponse:
        """Do what a button of the session's page says: `act` is `<act>` or `<act> <message id>`."""
        name, _, message_id = request.POST.get("act", "").partition(" ")
        chosen = self.get_queryset(request).filter(pk=unquote(session_id))
        if request.method != "POST" or (name != "export" and name not in acts.ACTS):
            return HttpResponseNotAllowed(["POST"])
        if name == "export":
            self._check(request, "export")
            return self.export(request, chosen)
        self._check(request, acts.ACTS[name].permission)
        return self._act(request, name, chosen, message_id) or HttpResponseRedirect(
            reverse("admin:chat_session_change", args=[session_id])
        )

    def response_action(  # type: ignore[override]  # the stubs are of a newer Django
        self, request: HttpRequest, queryset: Any
    ) -> HttpResponse | None:
        """Refuse to act on more sessions than can be read at once."""
        if request.POST.get("select_across") == "1" and queryset.count() > MOST:
            told = f"Actions take {MOST:,} sessions at most: narrow the list down."
            self.message_user(request, told, messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())
        return super().response_action(request, queryset)

    @admin.action(description="Cancel what is open", permissions=["change"])
    def cancel(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        """Cancel all open turns of each."""
        return self._act(request, "cancel", queryset)

    @admin.action(description="Requeue the next turn", permissions=["change"])
    def requeue(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        """Have the next turn of each begun at once."""
        return self._act(request, "requeue", queryset)

    @admin.action(description="Expire", permissions=["delete"])
    def expire(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        """End each."""
        return self._act(request, "expire", queryset)

    @admin.action(description="Export as JSON lines", permissions=["export"])
    def export(self, request: HttpRequest, queryset: Iterable[Session]) -> HttpResponse:
        """Send each as a line of JSON."""
        chosen = list(queryset)
        lines = (piece for session in chosen for piece in staff.export(session.pk))
        response = HttpResponse(b"".join(lines), content_type="application/x-ndjson")
        response["Content-Disposition"] = 'attachment; filename="sessions.jsonl"'
        response["Cache-Control"] = "no-store"
        for session in chosen:
            self.log_change(request, session, "Exported.")
        return response

    def _act(
        self, request: HttpRequest, name: str, chosen: Any, message_id: str = ""
    ) -> HttpResponse | None:
        """Do it to each, or ask first where something is lost by it; write it to the log."""
        act = acts.ACTS[name]
        if act.warning and "confirmed" not in request.POST:
            return self._confirm(request, act, chosen, message_id)
        for session in chosen:
            try:
                done = act.run(session.pk, message_id)
            except StoreUnavailable:
                raise
            except ParleyError as error:
                self.message_user(request, f"{session}: {error.message}", messages.ERROR)
                continue
            if done:
                self.log_change(request, session, done)
            told = done or "Nothing to do."
            level = messages.SUCCESS if done else messages.WARNING
            self.message_user(request, f"{session}: {told}", level)
        return None

    def _confirm(
        self, request: HttpRequest, act: acts.Act, chosen: Any, message_id: str
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
        return TemplateResponse(request, pages.TEMPLATES + "confirm.html", context)

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


def _rounded(age: timedelta) -> str:
    """Return an age as a number of its greatest unit."""
    for unit, seconds in (("d", 86400), ("h", 3600), ("min", 60)):
        if age.total_seconds() >= seconds:
            return f"{age.total_seconds() // seconds:.0f} {unit}"
    return f"{max(0.0, age.total_seconds()):.0f} s"


def telling_of_trouble(view: View) -> View:
    """Show a page instead of a fault when Redis gives no answer."""

    @wraps(view)
    def told(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            response = view(request, *args, **kwargs)
            # Lists are read when they are shown.
            return response.render() if isinstance(response, TemplateResponse) else response
        except StoreUnavailable as error:
            context = {**admin.site.each_context(request), "title": error.message}
            status = HTTPStatus.SERVICE_UNAVAILABLE
            return TemplateResponse(
                request, pages.TEMPLATES + "trouble.html", context, status=status
            )

    return told
