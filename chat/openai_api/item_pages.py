"""Items of stored messages, in pages."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import orjson

from chat.conversation import messages
from chat.domain import Caller
from chat.domain.errors import NotFound
from chat.domain.ids import message_number
from chat.openai_api import ids
from chat.openai_api.items import to_items
from chat.openai_api.pages import PageQuery, to_list
from chat.settings import chat_settings


class MessageRange(NamedTuple):
    """Messages of a session, by their numbers."""

    first: int = 1
    # `None` for the newest one.
    last: int | None = None

    def __contains__(self, number: object) -> bool:
        return isinstance(number, int) and self.first <= number <= (self.last or number)


ALL_MESSAGES = MessageRange()


def list_items(
    caller: Caller, query: PageQuery, within: MessageRange = ALL_MESSAGES
) -> dict[str, Any]:
    """Return a page of the items of messages as JSON. It ends early after `MAX_PAGE_BYTES`.

    Raises:
        NotFound: there is no such item as the query's `after`.
        SessionNotFound, SessionExpired, StoreUnavailable
    """
    found: list[dict[str, Any]] = []
    size = 0
    for item in _iterate(caller, query, within):
        if len(found) == query.limit or size > chat_settings.MAX_PAGE_BYTES:
            return to_list(found, has_more=True)
        found.append(item)
        size += len(orjson.dumps(item))
    return to_list(found, has_more=False)


def iterate_messages(
    caller: Caller, within: MessageRange, *, newest_first: bool, page_size: int
) -> Iterator[Mapping[str, Any]]:
    """Yield the messages of a range that are stored, read in pages.

    Raises:
        SessionNotFound, SessionExpired, StoreUnavailable
    """
    before = f"msg_{within.last + 1}" if within.last is not None else None
    after = f"msg_{within.first - 1}" if within.first > 1 else None
    has_more = True
    while has_more:
        page = messages.list_messages(
            caller,
            before=before if newest_first else None,
            after=None if newest_first else after,
            limit=page_size,
            newest_first=newest_first,
        )
        has_more = page.has_more
        for message in map(orjson.loads, page.messages):
            before = after = message["id"]
            if message_number(after) not in within:
                return
            yield message


def _iterate(caller: Caller, query: PageQuery, within: MessageRange) -> Iterator[dict[str, Any]]:
    """Yield the items after that of the query."""
    start = _find(caller, query.after, within) if query.after else None
    if start is not None:  # it is read again, because it may have more items
        is_newest_first = query.is_newest_first
        within = within._replace(last=start) if is_newest_first else within._replace(first=start)
    stored = iterate_messages(
        caller, within, newest_first=query.is_newest_first, page_size=query.limit + 1
    )
    for message in stored:
        items = to_items(caller.session_id, message)
        ordered = items[::-1] if query.is_newest_first else items
        if message_number(message["id"]) == start:
            known = [item["id"] for item in ordered]
            ordered = ordered[known.index(query.after) + 1 :] if query.after in known else []
        yield from ordered


def _find(caller: Caller, item_id: str, within: MessageRange) -> int:
    """Return the number of an item's message. The item may have been deleted."""
    ref = ids.parse_item(item_id)
    if ref.session_id != caller.session_id or ref.number not in within:
        raise NotFound("Item not found.")
    return ref.number
