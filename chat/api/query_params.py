"""Query parameters, checked: an unknown one is refused like an unknown field."""

import re
from collections.abc import Collection
from dataclasses import dataclass

from django.http import QueryDict

from chat.domain.errors import InvalidRequest
from chat.settings import chat_settings

INTEGER = re.compile(r"[0-9]{1,15}")
CURSOR = re.compile(r"msg_[1-9][0-9]{0,14}")
DECIMAL = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotQuery:
    """How a snapshot is asked for."""

    # Only messages changed after this seq; -1 for all.
    after: int = -1
    # Most messages.
    limit: int
    # Seconds to wait for a change.
    wait: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PageQuery:
    """How a page of the history is asked for."""

    before: str | None
    after: str | None
    limit: int
    newest_first: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscribeQuery:
    """How a session is followed."""

    # The last seq that is known; 0 for none.
    after: int
    ticket: str
    token: str


def snapshot_query(query: QueryDict) -> SnapshotQuery:
    """Return `after`, `limit` and `wait`.

    Raises:
        InvalidRequest: one is not a number within its bounds, or there is another parameter.
    """
    if not query:
        return SnapshotQuery(limit=chat_settings.PAGE_LIMIT)
    _reject_unknown(query, {"after", "limit", "wait"})
    after = query.get("after")
    return SnapshotQuery(
        after=-1 if after is None else parse_seq("after", after),
        limit=_limit(query),
        wait=_seconds("wait", query.get("wait", "0"), chat_settings.MAX_WAIT),
    )


def subscribe_query(query: QueryDict, *, takes_token: bool = False) -> SubscribeQuery:
    """Return `after`, `ticket` and, where it is taken, `token`; the latter two are "" if absent.

    Raises:
        InvalidRequest: `after` is not a whole number, or there is another parameter.
    """
    _reject_unknown(query, {"after", "ticket", "token"} if takes_token else {"after", "ticket"})
    return SubscribeQuery(
        after=parse_seq("after", query.get("after", "0")),
        ticket=query.get("ticket", ""),
        token=query.get("token", ""),
    )


def parse_seq(name: str, text: str) -> int:
    """Return a seq.

    Raises:
        InvalidRequest: it is not a whole number.
    """
    return _integer(name, text, 0, 10**15)


def page_query(query: QueryDict) -> PageQuery:
    """Return `before`, `after`, `limit` and `order`.

    Raises:
        InvalidRequest: one is malformed, or there is another parameter.
    """
    _reject_unknown(query, {"before", "after", "limit", "order"})
    order = query.get("order", "asc")
    if order not in {"asc", "desc"}:
        raise InvalidRequest("order is asc or desc.", param="order")
    return PageQuery(
        before=_cursor("before", query),
        after=_cursor("after", query),
        limit=_limit(query),
        newest_first=order == "desc",
    )


def no_query(query: QueryDict) -> None:
    """Refuse every parameter.

    Raises:
        InvalidRequest: there is one.
    """
    if query:
        _reject_unknown(query, ())


def _reject_unknown(query: QueryDict, known: Collection[str]) -> None:
    for name, values in query.lists():
        if name not in known:
            raise InvalidRequest("There is no such query parameter.", param=name[:100])
        if len(values) > 1:
            raise InvalidRequest(f"{name} is given more than once.", param=name)


def _cursor(name: str, query: QueryDict) -> str | None:
    given = query.get(name)
    if given is not None and not CURSOR.fullmatch(given):
        raise InvalidRequest(f"{name} is the id of a message.", param=name)
    return given


def _limit(query: QueryDict) -> int:
    given = query.get("limit")
    most = chat_settings.MAX_PAGE_LIMIT
    return chat_settings.PAGE_LIMIT if given is None else _integer("limit", given, 1, most)


def _integer(name: str, text: str, least: int, most: int) -> int:
    if not INTEGER.fullmatch(text) or not least <= int(text) <= most:
        raise InvalidRequest(f"{name} is a whole number from {least} to {most}.", param=name)
    return int(text)


def _seconds(name: str, text: str, most: float) -> float:
    if not DECIMAL.fullmatch(text) or float(text) > most:
        raise InvalidRequest(f"{name} is a number of seconds from 0 to {most:g}.", param=name)
    return float(text)
