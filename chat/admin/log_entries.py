"""The admin's log as a page: who did what to what, and when; nobody changes it."""

from collections import defaultdict
from datetime import UTC
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.admin.views.main import ChangeList
from django.contrib.contenttypes.models import ContentType
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from chat.domain.errors import StoreUnavailable

if TYPE_CHECKING:
    Base = admin.ModelAdmin[LogEntry]
else:  # at run time it takes no parameter
    Base = admin.ModelAdmin


class LogChangeList(ChangeList):
    """A page of the log, which knows what of the named still lives."""

    def get_results(self, request: HttpRequest) -> None:
        """Read the page, and look for all that it names at once, a question a kind of thing."""
        super().get_results(request)
        named = defaultdict(set)
        for entry in self.result_list:
            if entry.content_type and entry.object_id:
                named[entry.content_type].add(entry.object_id)
        living = {kind: _existing_ids(request, kind, ids) for kind, ids in named.items()}
        for entry in self.result_list:
            entry.is_living = entry.object_id in living.get(entry.content_type, ())


def _existing_ids(request: HttpRequest, kind: ContentType, ids: set[str]) -> set[str]:
    """Return which of the ids stand for something that the user may look at."""
    model = kind.model_class()
    page = admin.site._registry.get(model) if model else None  # noqa: SLF001
    if model is None or page is None or not page.has_view_or_change_permission(request):
        return set()
    try:
        found = list(model._default_manager.filter(pk__in=ids))  # noqa: SLF001
    except StoreUnavailable:  # the log is in SQL, and is shown all the same
        return set()
    return {str(each.pk) for each in found}


class LogEntryAdmin(Base):
    """Acts of staff, the newest first; `admin.view_logentry` lets them be seen."""

    list_display = ("time", "user", "kind", "action", "object_link")
    list_display_links = None
    list_filter = (
        ("user", admin.RelatedOnlyFieldListFilter),
        "action_flag",
        ("content_type", admin.RelatedOnlyFieldListFilter),
        "action_time",
    )
    list_per_page = 50
    list_max_show_all = 0
    list_select_related = ("user", "content_type")
    date_hierarchy = "action_time"
    search_fields = ("object_id", "object_repr", "change_message")
    search_help_text = "The ID or the name of what was acted on, or a part of what was done."
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    sortable_by = ()

    class Media:
        css = {"all": ["admin_chat/log.css"]}

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Show the page; nothing is chosen in it."""
        return super().changelist_view(request, {"title": "Log entries", **(extra_context or {})})

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:  # noqa: ARG002
        """Let each page look for what lives."""
        return LogChangeList

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        """Entries are written by what is done."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: LogEntry | None = None) -> bool:  # noqa: ARG002
        """Nobody changes what was done."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: LogEntry | None = None) -> bool:  # noqa: ARG002
        """Nobody makes it undone; so an account that has done anything is not deleted here."""
        return False

    @admin.display(description="when, UTC")
    def time(self, entry: LogEntry) -> str:
        """To the second."""
        return f"{entry.action_time.astimezone(UTC):%Y-%m-%d %H:%M:%S}"

    @admin.display(description="of")
    def kind(self, entry: LogEntry) -> str:
        """What sort of thing it was done to."""
        return entry.content_type.name if entry.content_type else ""

    @admin.display(description="what was done")
    def action(self, entry: LogEntry) -> str:
        """In words."""
        return entry.get_change_message() or entry.get_action_flag_display()

    @admin.display(description="to")
    def object_link(self, entry: LogEntry) -> SafeString:
        """Name it; lead to it where it lives."""
        if not getattr(entry, "is_living", False):
            return format_html("{}", entry.object_repr)
        return format_html('<a href="{}">{}</a>', entry.get_admin_url(), entry.object_repr)
