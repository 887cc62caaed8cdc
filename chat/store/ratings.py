"""Ratings of replies in all sessions, by the time at which they were given."""

import re
from dataclasses import dataclass
from functools import total_ordering
from itertools import chain
from typing import Self

from chat.domain import Rating
from chat.settings import chat_settings
from chat.store import keys
from chat.store.client import execute_commands
from chat.store.routing import Command

CURSOR = re.compile(r"(\d{1,15}) (ses_[0-9a-z]{1,40}) (\d{1,15}) (up|down)")


@total_ordering
@dataclass(frozen=True, slots=True)
class RatedReply:
    """A rated reply; its text is a cursor in the list of all."""

    # When it was rated, ms since the epoch.
    at: int
    session_id: str
    number: int
    rating: Rating

    @classmethod
    def from_text(cls, text: str) -> Self | None:
        """Return the reply of a cursor, or `None` if the text is not a cursor."""
        found = CURSOR.fullmatch(text)
        if found is None:
            return None
        at, session_id, number, rating = found.groups()
        return cls(int(at), session_id, int(number), Rating(rating))

    def __str__(self) -> str:
        return f"{self.at} {self.session_id} {self.number} {self.rating}"

    def __lt__(self, other: Self) -> bool:
        return (self.at, str(self)) < (other.at, str(other))


def page(
    *, rating: Rating | None, cursor: RatedReply | None, newer: bool, limit: int
) -> list[RatedReply]:
    """Return rated replies, those next to the cursor first: older ones, or newer ones.

    rating: which ones, default all. cursor: without one, from the newest or the oldest reply.
    One round trip, and more if few of the ratings are wanted.

    Raises:
        StoreUnavailable
    """
    found: list[RatedReply] = []
    count = 4 + 4 * limit // chat_settings.PARTITIONS
    while len(found) < limit:
        lists = _read(cursor, newer=newer, count=count)
        # A full list may have more beyond its last reply; those of the others are complete.
        ends = [each[-1] for each in lists if len(each) == count]
        end = (min(ends) if newer else max(ends)) if ends else None
        for each in sorted(chain.from_iterable(lists), reverse=not newer):
            is_next = _is_beyond(each, cursor, newer=newer) and (
                end is None or not _is_beyond(each, end, newer=newer)
            )
            if is_next and rating in {None, each.rating}:
                found.append(each)
        if end is None:
            break
        if _is_beyond(end, cursor, newer=newer):
            cursor = end
        count *= 2  # few match, or many were rated in the same ms
    return found[:limit]


def _is_beyond(reply: RatedReply, cursor: RatedReply | None, *, newer: bool) -> bool:
    return cursor is None or (reply > cursor if newer else reply < cursor)


def _read(cursor: RatedReply | None, *, newer: bool, count: int) -> list[list[RatedReply]]:
    """Return the next replies of each partition, from the time of the cursor on."""
    command = "ZRANGEBYSCORE" if newer else "ZREVRANGEBYSCORE"
    first, last = ("-inf", "+inf") if newer else ("+inf", "-inf")
    start = first if cursor is None else str(cursor.at)
    commands: list[Command] = [
        (command, keys.ratings(partition), start, last, "WITHSCORES", "LIMIT", 0, count)
        for partition in range(chat_settings.PARTITIONS)
    ]
    replies = execute_commands(commands)
    return [list(map(_parse, reply[::2], reply[1::2])) for reply in replies]


def _parse(member: bytes, at: bytes) -> RatedReply:
    found = RatedReply.from_text(f"{float(at):.0f} {member.decode()}")
    if found is None:
        raise ValueError(member)
    return found
