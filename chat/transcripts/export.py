"""Export of sessions as transcripts, one at a time, so that memory use is constant."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from chat.conversation import history, sessions, staff
from chat.conversation.messages import list_messages
from chat.domain import Caller, Rating, Role, Status
from chat.domain.errors import SessionExpired, SessionNotFound
from chat.domain.files import InputPart, Part, PartType
from chat.settings import chat_settings
from chat.store import listing
from chat.store.listing import TimeRange
from chat.transcripts.jsonl import Pair, Transcript, dump

# Messages per read.
PAGE_SIZE = 200
Message = Mapping[str, Any]
StoredPart = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportFilter:
    """Selects completed replies. since, until: the reply's end, in seconds since the epoch.

    `until` is exclusive.
    """

    since: float | None = None
    until: float | None = None
    model: str | None = None
    rating: Rating | None = None
    # Whether lines contain files; otherwise texts stand for images and files.
    has_files: bool = True

    @property
    def time_range(self) -> TimeRange:
        """When sessions with such a reply were last active: never before the reply ended."""
        return TimeRange(since=self.since)

    def matches(self, reply: Message) -> bool:
        """Return whether a completed reply is selected."""
        feedback = reply["feedback"]
        return (
            TimeRange(since=self.since, until=self.until).contains(reply["completed_at"])
            and self.model in {None, reply["model"]}
            and (self.rating is None or (feedback or {}).get("rating") == self.rating)
        )


def count(export_filter: ExportFilter) -> int:
    """Return how many sessions have to be read.

    Raises:
        StoreUnavailable
    """
    return listing.count(export_filter.time_range)


def lines(export_filter: ExportFilter) -> Iterator[bytes]:
    """Yield a line per session, or `b""` if it has no selected reply.

    A session that ends during the export may be missing; no session appears twice.

    Raises:
        StoreUnavailable
    """
    for session_ids in listing.scan(export_filter.time_range):
        for session_id in session_ids:
            yield line(session_id, export_filter)


def line(session_id: str, export_filter: ExportFilter) -> bytes:
    """Return the session's transcript up to its last selected reply, or `b""`.

    Raises:
        StoreUnavailable
    """
    caller = Caller.internal(session_id)
    try:
        system_prompt, messages = _read(caller)
        turns = _turns(messages, export_filter)
        while turns and not export_filter.matches(turns[-1][1]):
            turns.pop()
        pairs = list(_pairs(caller, turns, export_filter))
    except (SessionNotFound, SessionExpired):
        return b""
    return dump(Transcript(system_prompt=system_prompt, pairs=pairs)) if pairs else b""


def _pairs(
    caller: Caller, turns: Iterable[tuple[Message, Message]], export_filter: ExportFilter
) -> Iterator[Pair]:
    """Yield turns with their files, as many bytes as a session may store.

    Texts stand for further ones: a client may refer to a large file again and again.
    """
    left = chat_settings.MAX_SESSION_FILE_BYTES
    for message, reply in turns:
        parts: tuple[InputPart, ...] = ()
        prompt = message["content"]
        if stored := message.get("parts"):
            if export_filter.has_files:
                kept = list(_within(stored, left))
                left -= sum(Part.from_json(each).size for each in kept)
                parts = history.read_parts(caller, kept)
            else:
                prompt = "\n".join(Part.from_json(each).placeholder for each in stored)
        train = export_filter.matches(reply)
        yield Pair(prompt=prompt, reply=reply["content"], parts=parts, train=train)


def _within(stored: Iterable[StoredPart], max_bytes: int) -> Iterator[StoredPart]:
    """Yield parts, and texts instead of files beyond a limit."""
    left = max_bytes
    for each in stored:
        part = Part.from_json(each)
        if part.size > left:
            yield Part(PartType.TEXT, part.placeholder).to_json()
        else:
            left -= part.size
            yield each


def _read(caller: Caller) -> tuple[str | None, list[Message]]:
    """Return the session's system prompt and all its messages, oldest first."""
    session = sessions.read(caller, limit=PAGE_SIZE)
    messages = [orjson.loads(message) for message in session.messages]
    has_more = session.has_more
    while has_more:
        page = list_messages(
            caller, before=messages[0]["id"], after=None, limit=PAGE_SIZE, newest_first=False
        )
        messages[:0] = [orjson.loads(message) for message in page.messages]
        has_more = page.has_more
    return orjson.loads(session.system_prompt), messages


def _turns(messages: list[Message], export_filter: ExportFilter) -> list[tuple[Message, Message]]:
    """Return messages and replies of completed turns.

    Of several replies the newest selected one is used. Messages of which there is an edited
    version are left out.
    """
    replaced = {message.get("replaces") for message in messages}
    replies: dict[str, Message] = {}
    for message in messages:
        if message["role"] == Role.ASSISTANT and _is_usable(message):
            known = replies.get(message["reply_to"])
            if known is None or export_filter.matches(message) or not export_filter.matches(known):
                replies[message["reply_to"]] = message
    return [
        (message, replies[message["id"]])
        for message in messages
        if message["id"] in replies and message["id"] not in replaced and _is_usable(message)
    ]


def _is_usable(message: Message) -> bool:
    """Return whether it is completed, not blank and not redacted."""
    text = message["content"].strip()
    has_content = bool(text or message.get("parts"))
    return message["status"] == Status.COMPLETED and has_content and text != staff.REDACTED
