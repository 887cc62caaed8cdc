"""Filters of the list of sessions by one of several choices."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from chat.conversation import llms
from chat.domain.errors import ParleyError, TurnFailed
from chat.store.search.session_filter import ANY

PERIODS = {
    "5m": ("Within 5 minutes", timedelta(minutes=5)),
    "1h": ("Within 1 hour", timedelta(hours=1)),
    "1d": ("Within 1 day", timedelta(days=1)),
    "7d": ("Within 7 days", timedelta(days=7)),
    "over-1h": ("Over 1 hour ago", timedelta(hours=1)),
    "over-1d": ("Over 1 day ago", timedelta(days=1)),
    "over-7d": ("Over 7 days ago", timedelta(days=7)),
}
CODE = re.compile("[a-z_]{1,60}")
KINDS = {"listed": "Chats", "unlisted": "Chat completions, unstored responses"}
STATUSES = {"running": "Running", "waiting": "Waiting", "idle": "Idle"}


class ActivityFilter(admin.SimpleListFilter):
    """Filters by the age of the last activity."""

    title = "last activity"
    parameter_name = "activity"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        return [(name, label) for name, (label, _) in PERIODS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002
        if self.value() not in PERIODS:
            return queryset
        name = str(self.value())
        bound = "lt" if name.startswith("over-") else "gte"
        edge = timezone.now() - PERIODS[name][1]
        return queryset.filter(**{f"last_active_at__{bound}": edge})


class StatusFilter(admin.SimpleListFilter):
    """Filters by whether a turn is running or queued."""

    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        return list(STATUSES.items())

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:  # noqa: ARG002
        return queryset.search(status=self.value()) if self.value() in STATUSES else queryset


class ModelFilter(admin.SimpleListFilter):
    """Filters by the session's model."""

    title = "model"
    parameter_name = "model"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        return [(name, name) for name in llms.all_models()]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:  # noqa: ARG002
        return queryset.search(model=self.value()) if self.value() else queryset


class ErrorFilter(admin.SimpleListFilter):
    """Filters by the error of the reply that failed last."""

    title = "error"
    parameter_name = "failed"

    template = "admin/chat/closed_filter.html"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        codes = sorted(set(_codes(TurnFailed)))
        return [(ANY, "Any error"), *((code, code) for code in codes)]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:  # noqa: ARG002
        is_code = CODE.fullmatch(self.value() or "")
        return queryset.search(failed=self.value()) if is_code else queryset


def _codes(error: type[ParleyError]) -> Iterator[str]:
    """Yield the codes of an error and of its subclasses."""
    yield error.code
    for each in error.__subclasses__():
        yield from _codes(each)


class KindFilter(admin.SimpleListFilter):
    """Filters by whether users see the session in their lists."""

    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        return list(KINDS.items())

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:  # noqa: ARG002
        return queryset.search(kind=self.value()) if self.value() in KINDS else queryset


class RatingFilter(admin.SimpleListFilter):
    """Filters by ratings of replies."""

    title = "feedback"
    parameter_name = "rated"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        return [("down", "Rated down")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:  # noqa: ARG002
        return queryset.search(rated="down") if self.value() == "down" else queryset
