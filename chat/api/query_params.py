"""Query parameters: parsing and validation. Unknown ones are rejected."""

import re
from collections.abc import Collection
from dataclasses import dataclass

from django.core.exceptions import TooManyFieldsSent
from django.http import QueryDict

from chat.conversation.files import MAX_FILENAME_CHARS
from chat.conversation.users import Position
from chat.domain.errors import InvalidRequest
from chat.settings import chat_settings

INTEGER = re.compile(r"[0-9]{1,15}")
CURSOR = re.compile(r"msg_[1-9][0-9]{0,14}")
SESSION_CURSOR = re.compile(r"([0-9]{1,15})-(ses_[0-9a-f]{24})")
# Of a search for names.
MAX_QUERY_CHARS = 200
DECIMAL = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotQuery:
    """Parameters of a snapshot."""

    # Only messages changed after this seq; -1 for all.
    after: int = -1
    limit: int
    # Seconds to wait for a change.
    wait: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PageQuery:
    """Parameters of a page of messages."""

    before: str | None
    after: str | None
    limit: int
    newest_first: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionsQuery:
    """Parameters of a list of sessions."""

    # A part of the name.
    q: str
    before: Position | None
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscribeQuery:
    """Parameters of an event stream or WebSocket."""

    # The last seq that the client has; 0 for none.
    after: int
    # The other two are "" if absent.
    ticket: str
    token: str


def parse(query: bytes) -> QueryDict:
    """Return the parameters of a WebSocket's URL.

    Raises:
        InvalidRequest: there are too many.
    """
    try:
        return QueryDict(query)
    except TooManyFieldsSent as error:
        raise InvalidRequest("The query has too many parameters.") from error


def snapshot_query(query: QueryDict) -> SnapshotQuery:
    """Return `after`, `limit` and `wait`.

    Raises:
        InvalidRequest: a value is not a number or out of range, or a parameter is unknown.
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


def subscribe_query(query: QueryDict, *, allow_token: bool = False) -> SubscribeQuery:
    """Return `after`, `ticket` and, if it is allowed, `token`.

    Raises:
        InvalidRequest: `after` is not an integer, or a parameter is unknown.
    """
    _reject_unknown(query, {"after", "ticket", "token"} if allow_token else {"after", "ticket"})
    return SubscribeQuery(
        after=parse_seq("after", query.get("after", "0")),
        ticket=query.get("ticket", ""),
        token=query.get("token", ""),
    )


def parse_seq(name: str, text: str) -> int:
    """Return the value of the parameter `name`.

    Raises:
        InvalidRequest: it is not an integer, or is out of range.
    """
    return _integer(name, text, 0, 10**15)


def page_query(query: QueryDict) -> PageQuery:
    """Return `before`, `after`, `limit` and `order`.

    Raises:
        InvalidRequest: a value is malformed, or a parameter is unknown.
    """
    _reject_unknown(query, {"before", "after", "limit", "order"})
    order = query.get("order", "asc")
    if order not in {"asc", "desc"}:
        raise InvalidRequest("order must be asc or desc.", param="order")
    return PageQuery(
        before=_cursor("before", query),
        after=_cursor("after", query),
        limit=_limit(query),
        newest_first=order == "desc",
    )


def sessions_query(query: QueryDict) -> SessionsQuery:
    """Return `q`, `before` and `limit`.

    Raises:
        InvalidRequest: a value is malformed, or a parameter is unknown.
    """
    _reject_unknown(query, {"q", "before", "limit"})
    text = query.get("q", "")
    if len(text) > MAX_QUERY_CHARS or "\0" in text:
        raise InvalidRequest(f"q must have at most {MAX_QUERY_CHARS} characters.", param="q")
    return SessionsQuery(q=text, before=_position(query.get("before")), limit=_limit(query))


def _position(text: str | None) -> Position | None:
    if text is None:
        return None
    match = SESSION_CURSOR.fullmatch(text)
    if match is None:
        raise InvalidRequest("before must be `next_before` of another page.", param="before")
    return Position(active_at=int(match[1]), session_id=match[2])


def filename(query: QueryDict) -> str:
    """Return `filename`, "" if it is missing.

    Raises:
        InvalidRequest: it is too long, or a parameter is unknown.
    """
    _reject_unknown(query, {"filename"})
    name = query.get("filename", "")
    if len(name) > MAX_FILENAME_CHARS:
        raise InvalidRequest(
            f"filename must have at most {MAX_FILENAME_CHARS} characters.", param="filename"
        )
    return name


def reject_query(query: QueryDict) -> None:
    """Reject all parameters.

    Raises:
        InvalidRequest: there is one.
    """
    if query:
        _reject_unknown(query, ())


def _reject_unknown(query: QueryDict, known: Collection[str]) -> None:
    for name, values in query.lists():
        if name not in known:
            raise InvalidRequest("Unknown query parameter.", param=name[:100])
        if len(values) > 1:
            raise InvalidRequest(f"{name} must not be repeated.", param=name)


def _cursor(name: str, query: QueryDict) -> str | None:
    value = query.get(name)
    if value is not None and not CURSOR.fullmatch(value):
        raise InvalidRequest(f"{name} must be the id of a message.", param=name)
    return value


def _limit(query: QueryDict) -> int:
    value = query.get("limit")
    if value is None:
        return chat_settings.PAGE_LIMIT
    return _integer("limit", value, 1, chat_settings.MAX_PAGE_LIMIT)


def _integer(name: str, text: str, min_value: int, max_value: int) -> int:
    if not INTEGER.fullmatch(text) or not min_value <= int(text) <= max_value:
        raise InvalidRequest(
            f"{name} must be an integer from {min_value} to {max_value}.", param=name
        )
    return int(text)


def _seconds(name: str, text: str, max_value: float) -> float:
    if not DECIMAL.fullmatch(text) or float(text) > max_value:
        raise InvalidRequest(
            f"{name} must be a number of seconds from 0 to {max_value:g}.", param=name
        )
    return float(text)
