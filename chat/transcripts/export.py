"""Conversations taken out, one after the other: never more than one is held in memory."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from chat.conversation import sessions, staff
from chat.domain import Caller, Rating, Role, Status
from chat.domain.errors import SessionExpired, SessionNotFound
from chat.store import listing
from chat.store.listing import Span
from chat.transcripts.jsonl import Conversation, Exchange, line_of

# Messages read at once.
PAGE = 200
Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which completed replies are wanted."""

    # Seconds since the epoch, of the reply's end; so is the next, which is exclusive.
    since: float | None = None
    until: float | None = None
    model: str | None = None
    rating: Rating | None = None

    @property
    def span(self) -> Span:
        """When a session that has such a reply was last active: not before the reply ended."""
        return Span(since=self.since)

    def takes(self, reply: Message) -> bool:
        """Tell whether a completed reply is wanted."""
        feedback = reply["feedback"]
        return (
            Span(since=self.since, until=self.until).has(reply["completed_at"])
            and self.model in {None, reply["model"]}
            and (self.rating is None or (feedback or {}).get("rating") == self.rating)
        )


def count(choice: Choice) -> int:
    """Return how many sessions there are to look through.

    Raises:
        StoreUnavailable
    """
    return listing.count(choice.span)


def lines(choice: Choice) -> Iterator[bytes]:
    """Yield for each session its conversation as a line, or nothing (`b""`) if none is wanted.

    A session that comes to its end meanwhile may be left out; none is told twice.

    Raises:
        StoreUnavailable
    """
    for session_ids in listing.walk(choice.span):
        for session_id in session_ids:
            yield line(session_id, choice)


def line(session_id: str, choice: Choice) -> bytes:
    """Return the session's conversation up to the last reply that is wanted, or `b""`.

    Raises:
        StoreUnavailable
    """
    try:
        system_prompt, messages = _read(Caller(session_id=session_id))
    except (SessionNotFound, SessionExpired):
        return b""
    exchanges = _exchanges(messages, choice)
    while exchanges and not exchanges[-1].counts:
        exchanges.pop()
    if not exchanges:
        return b""
    return line_of(Conversation(system_prompt=system_prompt, exchanges=exchanges))


def _read(caller: Caller) -> tuple[str | None, list[Message]]:
    """Return the session's system prompt and all its messages, oldest first."""
    session = sessions.read(caller, limit=PAGE)
    messages = [orjson.loads(message) for message in session.messages]
    has_more = session.has_more
    while has_more:
        page = sessions.page(
            caller, before=messages[0]["id"], after=None, limit=PAGE, newest_first=False
        )
        messages[:0] = [orjson.loads(message) for message in page.messages]
        has_more = page.has_more
    return orjson.loads(session.system_prompt), messages


def _exchanges(messages: list[Message], choice: Choice) -> list[Exchange]:
    """Return the completed turns: of several replies to a message the newest that is wanted."""
    replies: dict[str, Message] = {}
    for message in messages:
        if message["role"] == Role.ASSISTANT and _is_sound(message):
            known = replies.get(message["reply_to"])
            if known is None or choice.takes(message) or not choice.takes(known):
                replies[message["reply_to"]] = message
    return [
        Exchange(
            asked=message["content"],
            said=replies[message["id"]]["content"],
            counts=choice.takes(replies[message["id"]]),
        )
        for message in messages
        if message["id"] in replies and _is_sound(message)
    ]


def _is_sound(message: Message) -> bool:
    """Tell whether it was completed, says something, and nothing of it was redacted."""
    said = message["content"].strip()
    return message["status"] == Status.COMPLETED and said not in {"", staff.REDACTED}
