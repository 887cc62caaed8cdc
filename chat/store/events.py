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

from chat.domain import Stretch
from chat.domain.errors import ParleyError, SessionExpired, SessionNotFound, StoreUnavailable
from chat.store import keys
from chat.store.client import client, map_errors
from chat.store.scripts import Arg, ScriptCall, read_script, run_pipeline

MOST_EVENTS = 200
"""Events of one log that are read at once."""
MOST_BYTES = 128 * 1024
"""Bytes of one log after which its reading ends; a single event may be larger."""

EVENTS = b"EVENTS "
"""How events are told."""
STAMP = re.compile(rb'"created_at":([\d.]+)')
"""What tells an event from another one of the same number: no two histories write at one time."""
HEAD = 256
"""Bytes of an event in which that stands."""
NOWHERE = -1
"""A cursor that nothing follows."""
REFUSALS: dict[bytes, type[ParleyError]] = {b"GONE": SessionNotFound, b"EXPIRED": SessionExpired}


class Log(NamedTuple):
    """Where a session's log is."""

    partition: int
    session: str
    """Key of the session's hash."""
    events: str
    """Key of the log."""
    channel: bytes
    """Where news of it are published."""


class Place(NamedTuple):
    """Where somebody stands in a log."""

    log: Log
    token_hash: str
    """See `Caller`."""
    cursor: int
    """The last seq that is known; or `NOWHERE`, to learn only whether the log may be read."""
    stamp: bytes
    """Of the event with that seq, if it is known. Nothing follows a place in another history: what
    is read there begins with all that is kept."""
    is_sure: bool
    """Whether that is looked at only when there are newer events."""


def log_of(session_id: str) -> Log:
    """Return where the session's log is."""
    own = keys.for_session(session_id)
    return Log(keys.partition(session_id), own.session, own.events, own.events.encode())


def read_logs(places: Sequence[Place]) -> list[Stretch | ParleyError]:
    """Return what follows each place, or why it is not told.

    The errors are SessionNotFound, also when the token is not the session's; SessionExpired; and
    StoreUnavailable, after which the same may be asked again.

    Raises:
        StoreUnavailable: for all of them.
    """
    by_partition: dict[int, list[int]] = defaultdict(list)
    for i, place in enumerate(places):
        by_partition[place.log.partition].append(i)
    calls = [_call([places[i] for i in group]) for group in by_partition.values()]
    with map_errors():
        answers = run_pipeline(client(), calls)
    found: dict[int, Stretch | ParleyError] = {}
    for group, answer in zip(by_partition.values(), answers, strict=True):
        if isinstance(answer, RedisError):
            found |= dict.fromkeys(group, StoreUnavailable(str(answer)))
        else:
            found |= zip(group, map(_found, answer), strict=True)
    return [found[i] for i in range(len(places))]


def _call(places: Sequence[Place]) -> ScriptCall:
    names: list[str] = []
    arguments: list[Arg] = [MOST_EVENTS, MOST_BYTES]
    for log, token_hash, cursor, stamp, is_sure in places:
        names += (log.session, log.events)
        arguments += (token_hash, cursor, stamp, int(is_sure))
    return ScriptCall(read_script("read_logs"), names, arguments)


def _found(text: bytes) -> Stretch | ParleyError:
    return stretch_of(text) if text.startswith(EVENTS) else REFUSALS[text]()


def stretch_of(text: bytes) -> Stretch:
    """Return events as scripts tell of them, in an answer or in news."""
    head, *events = text.split(b"\n")  # JSON as it is stored holds no line ends
    _, newest, first, *stamp = head.split()
    if events:
        stamp = STAMP.findall(events[-1], 0, HEAD)[:1]
    return Stretch(
        first=int(first),
        newest=int(newest),
        events=events,
        size=len(text),
        stamp=b"".join(stamp),
    )
