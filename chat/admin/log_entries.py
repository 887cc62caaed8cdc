"""The admin's log as a read-only page: who did what, to which object, and when."""

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
    ModelAdmin = admin.ModelAdmin[LogEntry]
else:  # not generic at run time
    ModelAdmin = admin.ModelAdmin


class LogChangeList(ChangeList):
    """A page of the log that knows which of its objects still exist."""

    def get_results(self, request: HttpRequest) -> None:
        """Read the page, then look up its objects with one query per type."""
        super().get_results(request)
        ids = defaultdict(set)
        for entry in self.result_list:
            if entry.content_type and entry.object_id:
                ids[entry.content_type].add(entry.object_id)
        existing = {
            content_type: _existing_ids(request, content_type, ids[content_type])
            for content_type in ids
        }
        for entry in self.result_list:
            entry.object_exists = entry.object_id in existing.get(entry.content_type, ())


def _existing_ids(request: HttpRequest, content_type: ContentType, ids: set[str]) -> set[str]:
    """Return the ids of objects that exist and that the user may view."""
    model = content_type.model_class()
    model_admin = admin.site._registry.get(model) if model else None  # noqa: SLF001
    if model is None or model_admin is None:
        return set()
    if not model_admin.has_view_or_change_permission(request):
        return set()
    try:
        found = list(model._default_manager.filter(pk__in=ids))  # noqa: SLF001
    except StoreUnavailable:  # the log is stored in SQL, so it can be shown anyway
        return set()
    return {str(row.pk) for row in found}


class LogEntryAdmin(ModelAdmin):
    """Actions of all staff, newest first; requires the permission `admin.view_logentry`."""

    list_display = ("time", "user", "object_type", "action", "object_link")
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
    search_help_text = "Search by an object's ID or name, or by part of an action."
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    sortable_by = ()

    class Media:
        css = {"all": ["admin_chat/log.css"]}

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return super().changelist_view(request, {"title": "Log entries", **(extra_context or {})})

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:  # noqa: ARG002
        return LogChangeList

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return False

    def has_change_permission(self, request: HttpRequest, obj: LogEntry | None = None) -> bool:  # noqa: ARG002
        return False

    def has_delete_permission(self, request: HttpRequest, obj: LogEntry | None = None) -> bool:  # noqa: ARG002
        """Return False. Accounts with log entries therefore cannot be deleted in the admin."""
        return False

    @admin.display(description="time (UTC)")
    def time(self, entry: LogEntry) -> str:
        return f"{entry.action_time.astimezone(UTC):%Y-%m-%d %H:%M:%S}"

    @admin.display(description="type")
    def object_type(self, entry: LogEntry) -> str:
        return entry.content_type.name if entry.content_type else ""

    @admin.display(description="action")
    def action(self, entry: LogEntry) -> str:
        """Return the recorded message, or the kind of action if there is none."""
        return entry.get_change_message() or entry.get_action_flag_display()

    @admin.display(description="object")
    def object_link(self, entry: LogEntry) -> SafeString:
        """Return the object's name, as a link if the object exists."""
        if not getattr(entry, "object_exists", False):
            return format_html("{}", entry.object_repr)
        return format_html('<a href="{}">{}</a>', entry.get_admin_url(), entry.object_repr)
