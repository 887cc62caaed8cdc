"""Messages of a session: read them and rate them."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import orjson

from chat.domain import Caller, Feedback, Page
from chat.domain.errors import InvalidRequest
from chat.domain.ids import message_number
from chat.store import admin, sessions
from chat.store.calls import Steps, store_call


@store_call
def list_messages(
    caller: Caller, *, before: str | None, after: str | None, limit: int, newest_first: bool
) -> Steps[Page]:
    """Return messages before or after a message id, or from one end of the history.

    Raises:
        InvalidRequest: both `before` and `after` are given.
        MessageNotFound: the cursor is not a message id.
        SessionNotFound, SessionExpired, StoreUnavailable
    """
    if before is not None and after is not None:
        raise InvalidRequest("Give before or after, not both.", param="after")
    cursor = before if before is not None else after
    newer = after is not None or (before is None and not newest_first)
    number = message_number(cursor) if cursor is not None else None
    page = yield from sessions.page.steps(caller, cursor=number, newer=newer, limit=limit)
    if newer != newest_first:
        return page
    return Page(messages=page.messages[::-1], has_more=page.has_more)


def get_message(caller: Caller, message_id: str) -> bytes:
    """Return one message as JSON.

    Raises:
        MessageNotFound, SessionNotFound, SessionExpired, StoreUnavailable
    """
    return sessions.message(caller, message_number(message_id))


@store_call
def get_reply(
    caller: Caller, number: int
) -> Steps[tuple[Mapping[str, Any], Mapping[str, Any] | None]]:
    """Return a reply, and the params of its turn.

    The params are empty if the turn has none, and `None` if its response was deleted.

    Raises:
        MessageNotFound, SessionNotFound, SessionExpired, StoreUnavailable
    """
    message, params = yield from sessions.message_and_params.steps(caller, number)
    return orjson.loads(message), orjson.loads(params or b"{}")


def hide_reply(caller: Caller, number: int) -> None:
    """Delete the params of a reply's turn for good; `get_reply` returns `None` for them.

    Raises:
        MessageNotFound, SessionNotFound, SessionExpired, StoreUnavailable
    """
    sessions.set_params(caller, number, b"null")


def erase(caller: Caller, number: int) -> None:
    """Erase the text of a message for good, also in the event log.

    Raises:
        SessionBusy: the reply has not ended.
        MessageNotFound, SessionNotFound, SessionExpired, StoreUnavailable
    """
    admin.redact(caller, number, b"")


def set_feedback(caller: Caller, message_id: str, feedback: Feedback | None) -> bytes:
    """Store feedback on a reply, or remove it with `None`; return the reply as JSON.

    Raises:
        FeedbackNotAllowed: the message is not a finished reply.
        MessageNotFound, StoreFull, SessionNotFound, SessionExpired, StoreUnavailable
    """
    stored = orjson.dumps(asdict(feedback) if feedback else None)
    return sessions.set_feedback(caller, message_number(message_id), stored)
