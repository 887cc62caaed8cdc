"""Conversations: sessions, and their messages as items."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import orjson

from chat.conversation import history, messages, sessions
from chat.conversation.repeats import Attachment
from chat.domain import Caller, Context, InputMessage, Role, Snapshot
from chat.domain.errors import (
    InvalidRequest,
    MessageNotFound,
    NotFound,
    SessionExpired,
    SessionNotFound,
)
from chat.openai_api import ids
from chat.openai_api.history import system_text
from chat.openai_api.items import to_items
from chat.openai_api.pages import PageQuery
from chat.openai_api.response_request import read_input
from chat.protocols.fields import Fields
from chat.protocols.senders import Sender, admit, open_session
from chat.settings import chat_settings
from chat.store.calls import Steps, gather

MAX_ITEMS = 20


def create(
    sender: Sender, body: Mapping[str, Any], attaching: Steps[Attachment]
) -> Steps[dict[str, Any]]:
    """Open a session with a history; return the conversation.

    attaching: attaches the request to the first one that is equal.

    Raises:
        NotAllowed: the sender has the token of one session only.
        InvalidRequest, UnsupportedParameter, UnsupportedContent
        and as `sessions.create_session`.
    """
    fields = Fields(body)
    metadata, given = fields.metadata(), _read_items(fields)
    fields.reject_others()
    attachment, _ = yield from gather(attaching, admit(sender))
    _, session = yield from open_session(
        sender,
        partial(sessions.read.steps, limit=0),
        key=attachment.key,
        history=history.build(given),
        system_prompt=system_text(given) or None,
        metadata=metadata,
        context=Context(messages=chat_settings.MAX_PAGE_LIMIT),
    )
    return to_conversation(session)


def find(sender: Sender, conversation_id: str) -> tuple[Caller, Snapshot]:
    """Return a conversation's caller and session.

    Raises:
        NotFound, StoreUnavailable
    """
    try:
        caller = sender.caller_of(ids.parse_conversation(conversation_id))
        return caller, sessions.read(caller, limit=0)
    except (SessionNotFound, SessionExpired) as error:
        raise NotFound("Conversation not found.") from error


def update(sender: Sender, conversation_id: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Replace the metadata; return the conversation.

    Raises:
        NotFound, InvalidRequest, UnsupportedParameter, and as `sessions.update`
    """
    caller, _ = find(sender, conversation_id)
    fields = Fields(body)
    metadata = fields.metadata()
    fields.reject_others()
    return to_conversation(sessions.update(caller, {"metadata": metadata}))


def delete(sender: Sender, conversation_id: str) -> None:
    """Delete the session with all its messages.

    Raises:
        NotFound, StoreUnavailable
    """
    caller, _ = find(sender, conversation_id)
    sessions.delete(caller)


def add_items(
    sender: Sender, conversation_id: str, body: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Append items to the history; return them.

    Raises:
        SessionBusy: a response is in progress.
        NotFound, InvalidRequest, UnsupportedParameter, UnsupportedContent
        and as `sessions.append_history`.
    """
    caller, _ = find(sender, conversation_id)
    fields = Fields(body)
    given = _read_items(fields)
    fields.reject_others()
    if any(message.role is Role.SYSTEM for message in given):
        raise InvalidRequest("Add system messages when you create the conversation.", param="items")
    added = history.build(given, history.find_files(caller, given))
    if not added.turns:
        raise fields.invalid("items", "must contain a message with text")
    last = sessions.append_history(caller, added)
    page = messages.list_messages(
        caller, before=f"msg_{last + 1}", after=None, limit=2 * len(added.turns), newest_first=False
    )
    return _to_items(caller, page.messages)


def list_items(
    sender: Sender, conversation_id: str, query: PageQuery
) -> tuple[list[dict[str, Any]], bool]:
    """Return a page of items, and whether there are more. It ends early after `MAX_PAGE_BYTES`.

    Raises:
        NotFound, StoreUnavailable
    """
    caller, _ = find(sender, conversation_id)
    found: list[dict[str, Any]] = []
    size = 0
    for item in _iterate(caller, query):
        if len(found) == query.limit or size > chat_settings.MAX_PAGE_BYTES:
            return found, True
        found.append(item)
        size += len(orjson.dumps(item))
    return found, False


def _iterate(caller: Caller, query: PageQuery) -> Iterator[dict[str, Any]]:
    """Yield the items after that of the query, read in pages."""
    number = ids.parse_item(query.after).number if query.after else None
    cursor = _include(number, query)
    has_more = True
    while has_more:
        page = messages.list_messages(
            caller,
            before=cursor if query.is_newest_first else None,
            after=None if query.is_newest_first else cursor,
            limit=query.limit + 1,
            newest_first=query.is_newest_first,
        )
        has_more = page.has_more
        for message in map(orjson.loads, page.messages):
            cursor = message["id"]
            items = to_items(caller.session_id, message)
            ordered = items[::-1] if query.is_newest_first else items
            if cursor == f"msg_{number}":
                known = [item["id"] for item in ordered]
                ordered = ordered[known.index(query.after) + 1 :] if query.after in known else []
            yield from ordered


def _include(number: int | None, query: PageQuery) -> str | None:
    """Return the cursor from which a message is read again, because it may have more items."""
    if number is None or (number == 1 and not query.is_newest_first):
        return None
    return f"msg_{number + 1 if query.is_newest_first else number - 1}"


def get_item(sender: Sender, conversation_id: str, item_id: str) -> dict[str, Any]:
    """Return an item.

    Raises:
        NotFound, StoreUnavailable
    """
    caller, _ = find(sender, conversation_id)
    try:
        message = messages.get_message(caller, _message_id(caller, item_id))
    except MessageNotFound as error:
        raise NotFound("Item not found.") from error
    for item in _to_items(caller, [message]):
        if item["id"] == item_id:
            return item
    raise NotFound("Item not found.")


def delete_item(sender: Sender, conversation_id: str, item_id: str) -> dict[str, Any]:
    """Erase the text of an item, with the reasoning of a reply; return the conversation.

    Raises:
        InvalidRequest: the item is reasoning.
        SessionBusy: the reply has not ended.
        NotFound, StoreUnavailable
    """
    caller, session = find(sender, conversation_id)
    if get_item(sender, conversation_id, item_id)["type"] == "reasoning":
        raise InvalidRequest("Delete the message of the reply: that erases its reasoning.")
    messages.erase(caller, ids.parse_item(item_id).number)
    return to_conversation(session)


def to_conversation(session: Snapshot) -> dict[str, Any]:
    return {
        "id": ids.conversation_id(session.id),
        "object": "conversation",
        "created_at": int(session.created_at),
        "metadata": orjson.loads(session.metadata),
    }


def _message_id(caller: Caller, item_id: str) -> str:
    ref = ids.parse_item(item_id)
    if ref.session_id != caller.session_id:
        raise NotFound("Item not found.")
    return ref.message_id


def _read_items(fields: Fields) -> Sequence[InputMessage]:
    if "items" not in fields:
        return []
    if not fields.is_list("items"):
        raise fields.invalid("items", "must be a list")
    if len(fields.peek("items")) > MAX_ITEMS:
        raise fields.invalid("items", f"must have at most {MAX_ITEMS} items")
    return read_input(fields, "items") if fields.peek("items") else fields.take("items")


def _to_items(caller: Caller, stored: Sequence[bytes]) -> list[dict[str, Any]]:
    return [item for each in stored for item in to_items(caller.session_id, orjson.loads(each))]
