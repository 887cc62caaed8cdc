"""Query sets over Redis for Django's admin: what they cannot do they refuse, by name.

They are real query sets, because the admin asks for that, but no SQL is ever made of them. Django's
`Query` only keeps the order and the slice.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, NoReturn, Self

from django.db import NotSupportedError, models

from chat.conversation import session_search, staff
from chat.conversation.messages import get_message, list_messages
from chat.conversation.session_search import Choice, Wanted
from chat.domain import Caller
from chat.domain.errors import MessageNotFound, SessionExpired, SessionNotFound
from chat.store.listing import Row, Span

MOST = 1000
"""Objects that are read at once; whoever wants more takes a slice at a time."""


def _refusing(name: str) -> Any:
    def refuse(self: models.QuerySet[Any], *_: object, **__: object) -> NoReturn:
        raise NotSupportedError(f"{self.model.__name__}.objects: {name}() is not possible in Redis")

    return refuse


class RedisQuerySet(models.QuerySet[Any]):
    """Filters, orders and slices as far as the store can; subclasses read."""

    LOOKUPS: ClassVar[frozenset[str]]
    """What `filter` and `get` take."""
    ORDERS: ClassVar[frozenset[tuple[str, ...]]]
    """What `order_by` takes; nothing stands for the first way there is."""

    wanted: Mapping[str, Any] = {}

    def _clone(self) -> Self:
        clone: Self = super()._clone()  # type: ignore[misc]  # the stubs leave it out
        clone.wanted = dict(self.wanted)
        return clone

    def _filter_or_exclude_inplace(
        self,
        negate: bool,  # noqa: FBT001
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
    ) -> None:
        if negate:
            raise NotSupportedError("exclude() is not possible in Redis")
        wanted = dict(self.wanted)
        for name, value in [*_conditions(args), *kwargs.items()]:
            lookup = name.removesuffix("__exact").replace("pk", "id")
            if lookup not in self.LOOKUPS or wanted.get(lookup, value) != value:
                raise NotSupportedError(f"{self.model.__name__}.objects: no filter by {name}")
            wanted[lookup] = value
        self.wanted = wanted

    def order_by(self, *field_names: Any) -> Self:
        """Choose one of `ORDERS`."""
        order = tuple(name for name in field_names if name not in {"pk", "-pk"})
        if order and order not in self.ORDERS:
            raise NotSupportedError(f"{self.model.__name__}.objects: no order by {order}")
        return super().order_by(*order)

    def _fetch_all(self) -> None:
        if self._result_cache is None:
            low, high = self.query.low_mark, self.query.high_mark
            most = MOST + 1 if high is None else high - low
            found = list(self._read(low, most))
            if high is None and len(found) > MOST:
                raise NotSupportedError(f"more than {MOST}: take a slice at a time")
            self._result_cache = found

    def _read(self, offset: int, limit: int) -> Iterable[models.Model]:
        raise NotImplementedError

    def iterator(self, chunk_size: int | None = None) -> Iterator[Any]:  # noqa: ARG002
        """Read all, which are `MOST` at most."""
        self._fetch_all()
        return iter(self._result_cache or ())

    def exists(self) -> bool:
        """Tell whether there is any."""
        return bool(self[:1])

    def count(self) -> int:
        """Read all and count them."""
        self._fetch_all()
        return len(self._result_cache or ())

    aggregate = _refusing("aggregate")
    alias = _refusing("alias")
    annotate = _refusing("annotate")
    bulk_create = _refusing("bulk_create")
    bulk_update = _refusing("bulk_update")
    complex_filter = _refusing("complex_filter")
    create = _refusing("create")
    dates = _refusing("dates")
    datetimes = _refusing("datetimes")
    defer = _refusing("defer")
    delete = _refusing("delete")
    difference = _refusing("difference")
    distinct = _refusing("distinct")
    extra = _refusing("extra")
    get_or_create = _refusing("get_or_create")
    in_bulk = _refusing("in_bulk")
    intersection = _refusing("intersection")
    only = _refusing("only")
    raw = _refusing("raw")
    reverse = _refusing("reverse")
    select_for_update = _refusing("select_for_update")
    union = _refusing("union")
    update = _refusing("update")
    update_or_create = _refusing("update_or_create")
    values = _refusing("values")
    values_list = _refusing("values_list")


def _conditions(args: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    """Give the conditions of `Q`s that are all joined by AND; the admin sends empty ones too."""
    for arg in args:
        if isinstance(arg, tuple):
            yield arg
        elif isinstance(arg, models.Q) and not arg.negated and arg.connector == models.Q.AND:
            yield from _conditions(arg.children)
        else:
            raise NotSupportedError(f"no filter by {arg}")


class SessionQuerySet(RedisQuerySet):
    """Sessions, those of the latest activity first."""

    LOOKUPS = frozenset({"id", "id__in", "last_active_at__gte", "last_active_at__lt"})
    ORDERS = frozenset({("-last_active_at",)})
    WISHES = frozenset({"text", "status", "model"})
    """What `choose` takes."""

    found: dict[str, Choice] = {}
    """Holds what was asked for, once it was looked for; copies share it."""

    def _clone(self) -> Self:
        clone = super()._clone()
        clone.found = self.found
        return clone

    def _filter_or_exclude_inplace(self, *asked: Any) -> None:
        super()._filter_or_exclude_inplace(*asked)
        self.found = {}
        for name, value in self.wanted.items():
            if name.startswith("last_active_at") and not isinstance(value, datetime):
                raise NotSupportedError(f"{self.model.__name__}.objects: no filter by {name} text")

    def choose(self, **wishes: str) -> Self:
        """Keep those that `choosing.choose` finds."""
        found = self._chain()  # type: ignore[attr-defined]  # the stubs leave it out
        found.wanted, found.found = {**self.wanted, **wishes}, {}
        return found  # type: ignore[no-any-return]

    def count(self) -> int:
        """Count them by the index, or those that were named or wished for."""
        if self._result_cache is not None:
            return len(self._result_cache)
        total = len(self.chosen()) if self.is_chosen else staff.count_sessions(self._span)
        return _sliced(total, self.query.low_mark, self.query.high_mark)

    def delete(self) -> tuple[int, dict[str, int]]:
        """Remove every trace of each."""
        for session in self:
            staff.delete(session.pk)
        return len(self), {"chat.Session": len(self)}

    @property
    def is_chosen(self) -> bool:
        """Whether any were named or wished for."""
        return not self.wanted.keys().isdisjoint({"id", "id__in", *self.WISHES})

    @property
    def _span(self) -> Span:
        bounds = [self.wanted.get(f"last_active_at__{bound}") for bound in ("gte", "lt")]
        since, until = (None if each is None else each.timestamp() for each in bounds)
        return Span(since=since, until=until)

    def _read(self, offset: int, limit: int) -> Iterable[models.Model]:
        if not self.is_chosen:
            rows = staff.list_sessions(offset=offset, limit=limit, span=self._span)
        else:
            rows = self.chosen().page(offset=offset, limit=limit)
        of: Callable[[Row], models.Model] = self.model.of
        return map(of, rows)

    def chosen(self) -> Choice:
        """Return those that were named or wished for.

        They are looked for once: the admin counts them, and then reads a page of them.
        """
        if "choice" not in self.found:
            wishes = {name: self.wanted[name] for name in self.WISHES & self.wanted.keys()}
            wanted = Wanted(**wishes, span=self._span)
            self.found["choice"] = session_search.choose(wanted, self._named())
        return self.found["choice"]

    def _named(self) -> list[str] | None:
        if self.wanted.keys().isdisjoint({"id", "id__in"}):
            return None
        only, named = self.wanted.get("id"), self.wanted.get("id__in")
        return [str(each) for each in ([only] if named is None else named) if only in {None, each}]


def _sliced(total: int, low: int, high: int | None) -> int:
    end = total if high is None else min(total, high)
    return max(0, end - low)


class MessageQuerySet(RedisQuerySet):
    """Messages of one session, which must be named; oldest first, or newest first."""

    LOOKUPS = frozenset({"id", "session", "number__lt", "number__gt"})
    ORDERS = frozenset({("number",), ("-number",)})

    def _read(self, offset: int, limit: int) -> Iterable[models.Model]:
        session_id, message_id = self._place()
        caller = Caller(session_id=session_id)
        of: Callable[[str, bytes], models.Model] = self.model.of
        try:
            if message_id:
                return [of(session_id, get_message(caller, message_id))][offset:]
            page = list_messages(caller, **self._bounds(), limit=offset + limit)
        except (SessionNotFound, SessionExpired, MessageNotFound):
            return []
        return [of(session_id, message) for message in page.messages[offset:]]

    def _place(self) -> tuple[str, str]:
        if "id" in self.wanted:
            session_id, _, message_id = str(self.wanted["id"]).partition("/")
            return session_id, message_id or "none"
        if "session" not in self.wanted:
            raise NotSupportedError("Message.objects: name the session")
        return str(self.wanted["session"]), ""

    def _bounds(self) -> dict[str, Any]:
        newest_first = self.query.order_by == ("-number",)
        below, above = self.wanted.get("number__lt"), self.wanted.get("number__gt")
        if (below if not newest_first else above) is not None:
            raise NotSupportedError("Message.objects: read away from the bound")
        bound = f"msg_{below or above}" if below or above else None
        return {
            "before": bound if newest_first else None,
            "after": None if newest_first else bound,
            "newest_first": newest_first,
        }


def moment(seconds: float) -> datetime | None:
    """Return seconds since the epoch as Django keeps time; 0 is no time."""
    return datetime.fromtimestamp(seconds, tz=UTC) if seconds else None
