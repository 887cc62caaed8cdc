"""Conversations: sessions, and their messages as items."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import orjson

from chat.conversation import history, messages, sessions
from chat.conversation.repeats import Attachment
from chat.domain import WHOLE_CONTEXT, Caller, InputMessage, Role, Snapshot
from chat.domain.errors import (
    InvalidRequest,
    MessageNotFound,
    NotFound,
    SessionExpired,
    SessionNotFound,
)
from chat.openai_api import ids, item_pages
from chat.openai_api.history import system_text
from chat.openai_api.items import to_items
from chat.openai_api.pages import PageQuery
from chat.openai_api.response_request import read_input
from chat.protocols.fields import Fields
from chat.protocols.senders import Sender, admit, open_session
from chat.store.calls import Steps, gather, run

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
        context=WHOLE_CONTEXT,
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
    sender: Sender, conversation_id: str, body: Mapping[str, Any], attaching: Steps[Attachment]
) -> list[dict[str, Any]]:
    """Append items to the history; return them.

    attaching: attaches the request to the first one that is equal.

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
    last = sessions.append_history(caller, added, key=run(attaching).key)
    page = messages.list_messages(
        caller, before=f"msg_{last + 1}", after=None, limit=2 * len(added.turns), newest_first=False
    )
    return _to_items(caller, page.messages)


def list_items(sender: Sender, conversation_id: str, query: PageQuery) -> dict[str, Any]:
    """Return a page of items as JSON.

    Raises:
        NotFound, StoreUnavailable
    """
    caller, _ = find(sender, conversation_id)
    return item_pages.list_items(caller, query)


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


def delete_item(sender: Sender, conversation_id: str, item_id: str) -> None:
    """Erase the text of an item, with the reasoning of a reply.

    Raises:
        InvalidRequest: the item is reasoning.
        SessionBusy: the reply has not ended.
        NotFound, StoreUnavailable
    """
    if get_item(sender, conversation_id, item_id)["type"] == "reasoning":
        raise InvalidRequest("Delete the message of the reply: that erases its reasoning.")
    ref = ids.parse_item(item_id)
    messages.erase(sender.caller_of(ref.session_id), ref.number)


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
