"""Query sets over Redis for Django's admin; unsupported operations raise an error with their name.

The admin requires real query sets. No SQL is made of them: Django's `Query` only holds the order
and the slice.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, NoReturn, Self

from django.db import NotSupportedError, models

from chat.conversation import session_search, staff
from chat.conversation.messages import get_message, list_messages
from chat.conversation.session_search import SearchPage, SessionFilter
from chat.domain import Caller
from chat.domain.bans import Subject
from chat.domain.errors import MessageNotFound, SessionExpired, SessionNotFound
from chat.store.listing import TimeRange
from chat.store.session_rows import SessionRow

# The most objects that one query reads; larger results must be sliced.
MAX_OBJECTS = 1000


def _unsupported(name: str) -> Any:
    def refuse(self: models.QuerySet[Any], *_: object, **__: object) -> NoReturn:
        raise NotSupportedError(f"{self.model.__name__}.objects: {name}() is not possible in Redis")

    return refuse


class RedisQuerySet(models.QuerySet[Any]):
    """Filters, orders and slices as far as the store supports it; subclasses read."""

    # Keyword arguments of `filter` and `get`.
    LOOKUPS: ClassVar[frozenset[str]]
    # Those that may be given twice -> the function that returns the narrower one.
    NARROWER: ClassVar[Mapping[str, Callable[..., Any]]] = {}
    # Arguments of `order_by`; without any, the first order applies.
    ORDERS: ClassVar[frozenset[tuple[str, ...]]]

    filters: Mapping[str, Any] = {}

    def _clone(self) -> Self:
        clone: Self = super()._clone()  # type: ignore[misc]  # the stubs leave it out
        clone.filters = dict(self.filters)
        return clone

    def _filter_or_exclude_inplace(
        self,
        negate: bool,  # noqa: FBT001
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
    ) -> None:
        if negate:
            raise NotSupportedError("exclude() is not possible in Redis")
        filters = dict(self.filters)
        for name, value in [*_conditions(args), *kwargs.items()]:
            lookup = name.removesuffix("__exact").replace("pk", "id")
            is_new = filters.get(lookup, value) == value
            if lookup not in self.LOOKUPS or not (is_new or lookup in self.NARROWER):
                raise NotSupportedError(f"{self.model.__name__}.objects: no filter by {name}")
            filters[lookup] = value if is_new else self.NARROWER[lookup](filters[lookup], value)
        self.filters = filters

    def order_by(self, *field_names: Any) -> Self:
        order = tuple(name for name in field_names if name not in {"pk", "-pk"})
        if order and order not in self.ORDERS:
            raise NotSupportedError(f"{self.model.__name__}.objects: no order by {order}")
        return super().order_by(*order)

    def _fetch_all(self) -> None:
        if self._result_cache is None:
            low, high = self.query.low_mark, self.query.high_mark
            limit = MAX_OBJECTS + 1 if high is None else high - low
            objects = list(self._read(low, limit))
            if high is None and len(objects) > MAX_OBJECTS:
                raise NotSupportedError(f"more than {MAX_OBJECTS} objects: slice the query set")
            self._result_cache = objects

    def _read(self, offset: int, limit: int) -> Iterable[models.Model]:
        raise NotImplementedError

    def iterator(self, chunk_size: int | None = None) -> Iterator[Any]:  # noqa: ARG002
        """Read all objects; raises an error if there are more than `MAX_OBJECTS`."""
        self._fetch_all()
        return iter(self._result_cache or ())

    def exists(self) -> bool:
        return bool(self[:1])

    def count(self) -> int:
        """Read all objects and count them."""
        self._fetch_all()
        return len(self._result_cache or ())

    aggregate = _unsupported("aggregate")
    alias = _unsupported("alias")
    annotate = _unsupported("annotate")
    bulk_create = _unsupported("bulk_create")
    bulk_update = _unsupported("bulk_update")
    complex_filter = _unsupported("complex_filter")
    create = _unsupported("create")
    dates = _unsupported("dates")
    datetimes = _unsupported("datetimes")
    defer = _unsupported("defer")
    delete = _unsupported("delete")
    difference = _unsupported("difference")
    distinct = _unsupported("distinct")
    extra = _unsupported("extra")
    get_or_create = _unsupported("get_or_create")
    in_bulk = _unsupported("in_bulk")
    intersection = _unsupported("intersection")
    only = _unsupported("only")
    raw = _unsupported("raw")
    reverse = _unsupported("reverse")
    select_for_update = _unsupported("select_for_update")
    union = _unsupported("union")
    update = _unsupported("update")
    update_or_create = _unsupported("update_or_create")
    values = _unsupported("values")
    values_list = _unsupported("values_list")


def _conditions(args: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    """Yield the conditions of `Q`s that are joined by AND; the admin sends empty ones too."""
    for arg in args:
        if isinstance(arg, tuple):
            yield arg
        elif isinstance(arg, models.Q) and not arg.negated and arg.connector == models.Q.AND:
            yield from _conditions(arg.children)
        else:
            raise NotSupportedError(f"no filter by {arg}")


class SessionQuerySet(RedisQuerySet):
    """Sessions, most recently active first."""

    LOOKUPS = frozenset({"id", "id__in", "last_active_at__gte", "last_active_at__lt"})
    NARROWER: ClassVar[Mapping[str, Callable[..., Any]]] = {
        "last_active_at__gte": max,
        "last_active_at__lt": min,
    }
    ORDERS = frozenset({("-last_active_at",)})
    # Keyword arguments of `search`.
    SEARCH_FIELDS = frozenset({"text", "status", "model", "failed", "rated", "openers", "kind"})

    # A page beyond the newest matches will be read.
    is_far = False
    # Holds the search of these filters once it was made; clones share it.
    searches: list[SearchPage] = []

    def _clone(self) -> Self:
        clone = super()._clone()
        clone.searches, clone.is_far = self.searches, self.is_far
        return clone

    def _filter_or_exclude_inplace(self, *args: Any) -> None:
        super()._filter_or_exclude_inplace(*args)
        self.searches = []
        for name, value in self.filters.items():
            if name.startswith("last_active_at") and not isinstance(value, datetime):
                raise NotSupportedError(f"{self.model.__name__}.objects: no filter by {name} text")

    def search(self, **fields: str | tuple[Subject, ...]) -> Self:
        """Filter by `SEARCH_FIELDS`."""
        clone = self._chain()  # type: ignore[attr-defined]  # the stubs leave it out
        clone.filters, clone.searches = {**self.filters, **fields}, []
        return clone  # type: ignore[no-any-return]

    def count(self) -> int:
        """Count the sessions in Redis, without reading them."""
        if self._result_cache is not None:
            return len(self._result_cache)
        total = (
            len(self.search_page()) if self.is_search else staff.count_sessions(self._time_range)
        )
        return _slice_length(total, self.query.low_mark, self.query.high_mark)

    def delete(self) -> tuple[int, dict[str, int]]:
        """Delete the sessions with all their keys."""
        for session in self:
            staff.delete(session.pk)
        return len(self), {"chat.Session": len(self)}

    @property
    def is_search(self) -> bool:
        """Return whether there are filters besides the time range."""
        return not self.filters.keys().isdisjoint({"id", "id__in", *self.SEARCH_FIELDS})

    @property
    def _time_range(self) -> TimeRange:
        bounds = [self.filters.get(f"last_active_at__{bound}") for bound in ("gte", "lt")]
        since, until = (None if bound is None else bound.timestamp() for bound in bounds)
        return TimeRange(since=since, until=until)

    def _read(self, offset: int, limit: int) -> Iterable[models.Model]:
        if not self.is_search:
            rows = staff.list_sessions(offset=offset, limit=limit, time_range=self._time_range)
        else:
            rows = self.search_page().page(offset=offset, limit=limit)
        from_row: Callable[[SessionRow], models.Model] = self.model.from_row
        return map(from_row, rows)

    def search_page(self) -> SearchPage:
        """Search once: the admin counts the matches, and then reads a page of them."""
        if not self.searches:
            fields = {name: self.filters[name] for name in self.SEARCH_FIELDS & self.filters.keys()}
            session_filter = SessionFilter(**fields, time_range=self._time_range)
            found = session_search.search(session_filter, self._session_ids(), is_far=self.is_far)
            self.searches.append(found)
        return self.searches[0]

    def _session_ids(self) -> list[str] | None:
        if self.filters.keys().isdisjoint({"id", "id__in"}):
            return None
        only, several = self.filters.get("id"), self.filters.get("id__in")
        ids = [only] if several is None else several
        return [str(id_) for id_ in ids if only in {None, id_}]


def _slice_length(total: int, low: int, high: int | None) -> int:
    end = total if high is None else min(total, high)
    return max(0, end - low)


class MessageQuerySet(RedisQuerySet):
    """Messages of one session, oldest or newest first; a filter by session or id is required."""

    LOOKUPS = frozenset({"id", "session", "number__lt", "number__gt"})
    ORDERS = frozenset({("number",), ("-number",)})

    def _read(self, offset: int, limit: int) -> Iterable[models.Model]:
        session_id, message_id = self._ids()
        caller = Caller.internal(session_id)
        from_json: Callable[[str, bytes], models.Model] = self.model.from_json
        try:
            if message_id:
                return [from_json(session_id, get_message(caller, message_id))][offset:]
            page = list_messages(caller, **self._bounds(), limit=offset + limit)
        except (SessionNotFound, SessionExpired, MessageNotFound):
            return []
        return [from_json(session_id, message) for message in page.messages[offset:]]

    def _ids(self) -> tuple[str, str]:
        if "id" in self.filters:
            session_id, _, message_id = str(self.filters["id"]).partition("/")
            return session_id, message_id or "none"
        if "session" not in self.filters:
            raise NotSupportedError("Message.objects: filter by session or id")
        return str(self.filters["session"]), ""

    def _bounds(self) -> dict[str, Any]:
        newest_first = self.query.order_by == ("-number",)
        below, above = self.filters.get("number__lt"), self.filters.get("number__gt")
        if (below if not newest_first else above) is not None:
            raise NotSupportedError("Message.objects: the order and the bound exclude each other")
        bound = f"msg_{below or above}" if below or above else None
        return {
            "before": bound if newest_first else None,
            "after": None if newest_first else bound,
            "newest_first": newest_first,
        }


def to_datetime(seconds: float) -> datetime | None:
    """Convert seconds since the epoch; 0 means no time."""
    return datetime.fromtimestamp(seconds, tz=UTC) if seconds else None
