"""The logs of many sessions, read on in one round trip.

`read_logs` takes all that one partition's followers ask for in one call of its script, and gives
each log as one text: for 200 logs 25 us of CPU here and 20 us in Redis a log, against 65 and 40 for
a call of `events` each. In a thread, because redis-py's asyncio pipeline takes twice the CPU of the
sync one (docs/adr/0012-subscriptions.md).
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from redis.exceptions import RedisError

from chat.domain import EventBatch
from chat.domain.errors import ParleyError, SessionExpired, SessionNotFound, StoreUnavailable
from chat.store import keys
from chat.store.client import client, map_errors
from chat.store.scripts import Arg, ScriptCall, read_script, run_pipeline

MAX_EVENTS = 200
"""Events of one log that are read at once."""
MAX_BYTES = 128 * 1024
"""Bytes of one log after which its reading ends; a single event may be larger."""

EVENTS_PREFIX = b"EVENTS "
"""How events are told."""
CREATED_AT = re.compile(rb'"created_at":([\d.]+)')
"""What tells an event from another one of the same number: no two histories write at one time."""
CREATED_AT_END = 256
"""Bytes of an event in which that stands."""
NO_POSITION = -1
"""A cursor that nothing follows."""
REFUSALS: dict[bytes, type[ParleyError]] = {b"GONE": SessionNotFound, b"EXPIRED": SessionExpired}


class LogKeys(NamedTuple):
    """Where a session's log is."""

    partition: int
    session: str
    """Key of the session's hash."""
    events: str
    """Key of the log."""
    channel: bytes
    """Where news of it are published."""


class Position(NamedTuple):
    """Where somebody stands in a log."""

    keys: LogKeys
    token_hash: str
    """See `Caller`."""
    cursor: int
    """The last seq that is known; or `NOWHERE`, to learn only whether the log may be read."""
    last_event_time: bytes
    """Of the event with that seq, if it is known. Nothing follows a place in another history: what
    is read there begins with all that is kept."""
    is_verified: bool
    """Whether that is looked at only when there are newer events."""


def log_keys(session_id: str) -> LogKeys:
    """Return where the session's log is."""
    own = keys.for_session(session_id)
    return LogKeys(keys.partition(session_id), own.session, own.events, own.events.encode())


def read_logs(positions: Sequence[Position]) -> list[EventBatch | ParleyError]:
    """Return what follows each place, or why it is not told.

    The errors are SessionNotFound, also when the token is not the session's; SessionExpired; and
    StoreUnavailable, after which the same may be asked again.

    Raises:
        StoreUnavailable: for all of them.
    """
    by_partition: dict[int, list[int]] = defaultdict(list)
    for i, place in enumerate(positions):
        by_partition[place.keys.partition].append(i)
    calls = [_read_call([positions[i] for i in group]) for group in by_partition.values()]
    with map_errors():
        answers = run_pipeline(client(), calls)
    found: dict[int, EventBatch | ParleyError] = {}
    for group, answer in zip(by_partition.values(), answers, strict=True):
        if isinstance(answer, RedisError):
            found |= dict.fromkeys(group, StoreUnavailable(str(answer)))
        else:
            found |= zip(group, map(_parse_reply, answer), strict=True)
    return [found[i] for i in range(len(positions))]


def _read_call(places: Sequence[Position]) -> ScriptCall:
    names: list[str] = []
    arguments: list[Arg] = [MAX_EVENTS, MAX_BYTES]
    for log, token_hash, cursor, stamp, is_sure in places:
        names += (log.session, log.events)
        arguments += (token_hash, cursor, stamp, int(is_sure))
    return ScriptCall(read_script("read_logs"), names, arguments)


def _parse_reply(text: bytes) -> EventBatch | ParleyError:
    return parse_batch(text) if text.startswith(EVENTS_PREFIX) else REFUSALS[text]()


def parse_batch(text: bytes) -> EventBatch:
    """Return events as scripts tell of them, in an answer or in news."""
    head, *events = text.split(b"\n")  # JSON as it is stored holds no line ends
    _, newest, first, *stamp = head.split()
    if events:
        stamp = CREATED_AT.findall(events[-1], 0, CREATED_AT_END)[:1]
    return EventBatch(
        first_seq=int(first),
        latest_seq=int(newest),
        events=events,
        size=len(text),
        last_event_time=b"".join(stamp),
    )
