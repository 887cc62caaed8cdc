"""Filters of the list of sessions that staff fill in: dates, and who has opened a session."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from chat.accounts import subjects
from chat.domain.bans import Subject
from chat.domain.errors import InvalidRequest, NotFound
from chat.domain.identity import ADDRESS_PREFIX, KEY_PREFIX, TENANT_PREFIX
from chat.settings import chat_settings
from chat.store import openers

# Prefix of a subject's name -> the parameter that names it. Users have the whole name.
PARAMETER_NAMES = {ADDRESS_PREFIX: "address", KEY_PREFIX: "key", TENANT_PREFIX: "tenant"}
UNSEARCHABLE = {
    "hashed": "With CHAT_STORE_ADDRESSES=hashed, sessions keep hashes: only single addresses and "
    "IPv6 /48 networks can be found.",
    "off": "With CHAT_STORE_ADDRESSES=off, sessions keep no address: none can be found by it.",
}


def opener_query(name: str) -> str:
    """Return the query string that lists the sessions of a subject with this name."""
    kind, _, value = name.partition(":")
    parameter = PARAMETER_NAMES.get(f"{kind}:")
    return urlencode({parameter: value} if parameter else {"user": name})


class FormFilter(admin.ListFilter):
    """A filter with several parameters, which a form submits."""

    template = "admin/chat/form_filter.html"
    # Parameter -> the type of its input.
    INPUTS: ClassVar[dict[str, str]]

    def __init__(
        self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any
    ) -> None:
        super().__init__(request, params, model, model_admin)
        for name in self.INPUTS:
            if name in params:
                self.used_parameters[name] = params.pop(name)[-1]

    def has_output(self) -> bool:
        return True

    def expected_parameters(self) -> list[str | None]:
        return list(self.INPUTS)

    def value(self, name: str) -> str:
        return str(self.used_parameters.get(name) or "").strip()

    def choices(self, changelist: Any) -> Iterator[dict[str, Any]]:
        """Yield what the form contains: the inputs, and the other parameters of the list."""
        others = {name: value for name, value in changelist.params.items() if name != "p"}
        yield {
            "inputs": [(name, kind, self.value(name)) for name, kind in self.INPUTS.items()],
            "is_used": bool(self.used_parameters),
            "others": [pair for pair in others.items() if pair[0] not in self.INPUTS],
            "query": changelist.query,
            "clear": changelist.get_query_string(remove=list(self.INPUTS)),
        }


class DateFilter(FormFilter):
    """Filters by the date of the last activity, UTC: `?from=2026-11-29&to=2026-11-30`."""

    title = "date"
    INPUTS: ClassVar = {"from": "date", "to": "date"}

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the sessions of these days; a text that is no date shows a message."""
        for name, bound in (("from", "gte"), ("to", "lt")):
            text = self.value(name)
            if not text:
                continue
            try:
                day = date.fromisoformat(text) + timedelta(days=bound == "lt")
                midnight = datetime.combine(day, time(), UTC)
            except (ValueError, OverflowError):
                messages.warning(request, f"{name} is no date such as 2026-11-30: ignored.")
                continue
            queryset = queryset.filter(**{f"last_active_at__{bound}": midnight})
        return queryset


class OpenerFilter(FormFilter):
    """Filters by who has opened the session: `?address=203.0.113.0/24&key=0123456789ab`."""

    title = "opener"
    INPUTS: ClassVar = {"address": "text", "key": "text", "user": "text", "tenant": "text"}

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Return the sessions that all of them have opened.

        If one is invalid, none are listed: an action on all could change those of others.
        """
        try:
            named = subjects.openers(**{name: self.value(name) for name in self.INPUTS})
        except (InvalidRequest, NotFound) as error:
            messages.warning(request, error.message)
            return queryset.filter(id__in=[])
        for subject in named:
            _warn(request, subject)
        return queryset.search(openers=named) if named else queryset


def _warn(request: HttpRequest, subject: Subject) -> None:
    setting = chat_settings.STORE_ADDRESSES
    if subject.address and not openers.is_searchable(subject.address):
        messages.warning(request, UNSEARCHABLE[setting])
