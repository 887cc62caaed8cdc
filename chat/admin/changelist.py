"""The list of sessions: columns, filters and search."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from chat.admin.base import ModelAdmin
from chat.admin.filters import (
    ActivityFilter,
    ErrorFilter,
    KindFilter,
    ModelFilter,
    RatingFilter,
    StatusFilter,
)
from chat.admin.form_filters import DateFilter, OpenerFilter
from chat.admin.models import Session
from chat.store.search.query import MAX_NEWEST

# Characters of an id: `ses_` and enough digits to tell 100,000 sessions apart.
SHORT_ID = 12
# Characters of a user's name, and of the first message.
MAX_NAME = 20
MAX_PREVIEW = 80


class ActivityChangeList(ChangeList):
    """A list with a fixed order; the query string cannot change it."""

    def get_ordering(self, request: HttpRequest, queryset: Any) -> list[Any]:  # noqa: ARG002
        return ["-last_active_at"]

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> Any:
        """Return the sessions; those of a far page are searched in another way."""
        queryset: Any = super().get_queryset(request, exclude_parameters)
        queryset.is_far = self.page_num * self.list_per_page > MAX_NEWEST
        return queryset


class SessionList(ModelAdmin):
    """Sessions, most recently active first, with links to their conversations."""

    list_display = (
        *("display_name", "short_id", "user", "status", "model", "messages", "errors", "tokens"),
        "active_ago",
    )
    list_display_links = ("display_name", "short_id")
    list_filter = (
        *(StatusFilter, KindFilter, ErrorFilter, RatingFilter, ModelFilter, OpenerFilter),
        *(ActivityFilter, DateFilter),
    )
    list_per_page = 50
    list_max_show_all = 0
    sortable_by = ()
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False
    search_fields = ("id",)
    search_help_text = "Search by ID, start of an ID, or part of a name."

    class Media:
        css = {"all": ["admin_chat/list.css"]}

    @admin.display(description="name, first message")
    def display_name(self, session: Session) -> str:
        """Return name and start of the first message, or another text that can serve as a link."""
        name, first = session.name, _shorten(session.row.preview)
        if not name or not first or first.startswith(name.rstrip("…")):
            return first or name or "(no messages)"
        return format_html('{} <span class="quiet">{}</span>', name, first)

    @admin.display(description="ID")
    def short_id(self, session: Session) -> SafeString:
        """Return the start of the id; the search finds a session by it."""
        return format_html('<span title="{}">{}</span>', session.pk, session.pk[:SHORT_ID])

    @admin.display(description="user")
    def user(self, session: Session) -> str:
        """Return a link to the page of the user."""
        if not session.row.user:
            return ""
        name, url = session.row.user, f"{reverse('user')}?{session.user_query}"
        short = name if len(name) <= MAX_NAME else name[: MAX_NAME - 1] + "…"
        return format_html('<a href="{}" title="{}">{}</a>', url, name, short)

    @admin.display(description="errors")
    def errors(self, session: Session) -> str:
        """Return the number of failed replies, and the code of the last one."""
        row = session.row
        return f"{row.errors:,} {row.error_code}" if row.errors else ""

    @admin.display(description="tokens")
    def tokens(self, session: Session) -> str:
        return f"{session.row.tokens:,}" if session.row.tokens else ""

    @admin.display(description="active")
    def active_ago(self, session: Session) -> str:
        return f"{_format_age(timezone.now() - session.last_active_at)} ago"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:  # noqa: ARG002
        return ActivityChangeList

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Show the list, and warn about sessions that the search cannot find."""
        response = super().changelist_view(request, {"title": "Sessions", **(extra_context or {})})
        context = getattr(response, "context_data", None) or {}  # redirects have none
        if "cl" in context:
            for warning in _search_warnings(context["cl"].queryset):
                self.message_user(request, warning, messages.WARNING)
        return response

    def get_search_results(
        self,
        request: HttpRequest,  # noqa: ARG002
        queryset: Any,
        search_term: str,
    ) -> tuple[Any, bool]:
        """Search with the store's index."""
        text = search_term.strip()
        return (queryset.search(text=text) if text else queryset), False


def _search_warnings(queryset: Any) -> Iterator[str]:
    """Yield what a search or a filter cannot find."""
    unindexed = queryset.search_page().result.unindexed if queryset.is_search else 0
    if unindexed:
        yield (
            f"{unindexed:,} sessions of an earlier version are missing from the search index. "
            "Run manage.py reindex once to add them."
        )


def _shorten(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= MAX_PREVIEW else words[: MAX_PREVIEW - 1] + "…"


def _format_age(age: timedelta) -> str:
    """Return an age in its largest whole unit."""
    for unit, seconds in (("d", 86400), ("h", 3600), ("min", 60)):
        if age.total_seconds() >= seconds:
            return f"{age.total_seconds() // seconds:.0f} {unit}"
    return f"{max(0.0, age.total_seconds()):.0f} s"
