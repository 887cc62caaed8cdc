"""Rated replies of all sessions, with what they answer, for staff."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from chat.conversation.messages import get_message
from chat.domain import Caller, Rating
from chat.domain.errors import MessageNotFound, SessionExpired, SessionNotFound
from chat.store import ratings
from chat.store.ratings import RatedReply

__all__ = ["FeedbackEntry", "RatedReply", "Rating", "list_feedback"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackEntry:
    """A rated reply with its question."""

    rated: RatedReply
    # As clients receive them.
    question: Mapping[str, Any]
    reply: Mapping[str, Any]


def list_feedback(
    *, rating: Rating | None, cursor: RatedReply | None, newer: bool, limit: int
) -> list[FeedbackEntry]:
    """Return rated replies, those next to the cursor first; see `ratings.page`.

    Raises:
        StoreUnavailable
    """
    found = ratings.page(rating=rating, cursor=cursor, newer=newer, limit=limit)
    return list(_with_messages(found))


def _with_messages(rated: Iterable[RatedReply]) -> Iterator[FeedbackEntry]:
    """Yield the replies that still exist."""
    for each in rated:
        caller = Caller.internal(each.session_id)
        try:
            reply = orjson.loads(get_message(caller, f"msg_{each.number}"))
            question = orjson.loads(get_message(caller, reply["reply_to"]))
        except (MessageNotFound, SessionExpired, SessionNotFound):
            continue
        yield FeedbackEntry(rated=each, question=question, reply=reply)
