"""The list of sessions: its columns, its filters, its search."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from chat.admin.base import Base
from chat.admin.filters import ActivityFilter, ModelFilter, StatusFilter
from chat.admin.models import Session


class ActivityChangeList(ChangeList):
    """A list in the one order that there is, whatever a query string asks for."""

    def get_ordering(self, request: HttpRequest, queryset: Any) -> list[Any]:  # noqa: ARG002
        """Return that order."""
        return ["-last_active_at"]


class SessionList(Base):
    """Sessions by their last activity; each leads to its conversation."""

    list_display = ("display_name", "id", "status", "model", "messages", "active_ago")
    list_display_links = ("display_name", "id")
    list_filter = (StatusFilter, ModelFilter, ActivityFilter)
    list_per_page = 50
    list_max_show_all = 0
    sortable_by = ()
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False
    search_fields = ("id",)
    search_help_text = "An ID or its start, or a part of a name."

    class Media:
        css = {"all": ["admin_chat/list.css"]}

    @admin.display(description="name")
    def display_name(self, session: Session) -> str:
        """Something to click on."""
        return session.name or "(no name)"

    @admin.display(description="active")
    def active_ago(self, session: Session) -> str:
        """The age of the last activity."""
        return f"{_format_age(timezone.now() - session.last_active_at)} ago"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:  # noqa: ARG002
        """Return what makes the list."""
        return ActivityChangeList

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Show the list; nothing in it is changed by a form."""
        answer = super().changelist_view(request, {"title": "Sessions", **(extra_context or {})})
        told = getattr(answer, "context_data", None) or {}  # a redirect has none
        if "cl" in told:
            for caution in _delete_warnings(told["cl"].queryset):
                self.message_user(request, caution, messages.WARNING)
        return answer

    def get_search_results(
        self,
        request: HttpRequest,  # noqa: ARG002
        queryset: Any,
        search_term: str,
    ) -> tuple[Any, bool]:
        """Search as the store can."""
        text = search_term.strip()
        return (queryset.search(text=text) if text else queryset), False


def _delete_warnings(queryset: Any) -> Iterator[str]:
    """Tell of what a search or a filter has passed over."""
    unknown = queryset.search_page().result.unindexed if queryset.is_search else 0
    if unknown:
        yield (
            f"{unknown:,} sessions were opened by an earlier version, which noted no names and "
            "models: run manage.py reindex once to have them found by these."
        )


def _format_age(age: timedelta) -> str:
    """Return an age as a number of its greatest unit."""
    for unit, seconds in (("d", 86400), ("h", 3600), ("min", 60)):
        if age.total_seconds() >= seconds:
            return f"{age.total_seconds() // seconds:.0f} {unit}"
    return f"{max(0.0, age.total_seconds()):.0f} s"
