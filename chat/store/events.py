"""Reads of the event logs of many sessions in one round trip.

`read_logs` makes one script call per partition. The script returns each log as one text, which is
split at line ends and never parsed (docs/adr/0012-subscriptions.md).
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from redis.exceptions import RedisError

from chat.domain import EventBatch
from chat.domain.errors import ParleyError
from chat.store import keys
from chat.store.calls import Steps, reply_or_raise, send_all, store_call
from chat.store.client import unavailable
from chat.store.routing import Arg, Command
from chat.store.scripts import ERRORS, ScriptCall, read_script
from chat.store.server_info import parse_time

# The most events that are read of one log at once.
MAX_EVENTS = 200
# The read of one log ends after this many bytes; a single event may be larger.
MAX_BYTES = 128 * 1024

# Replies and published messages that contain events begin with this.
EVENTS_PREFIX = b"EVENTS "
# The creation time distinguishes events with the same seq. Two events with one seq exist
# after a failover to an older replica, and were never created at the same time.
CREATED_AT = re.compile(rb'"created_at":([\d.]+)')
# It is within this many bytes from the start of an event.
CREATED_AT_END = 256
# A cursor for a read that returns no events.
NO_POSITION = -1


class LogKeys(NamedTuple):
    """The keys that a read of a session's log needs."""

    partition: int
    session: str
    log: str
    events: str
    messages: str
    # The pub/sub channel of the log.
    channel: bytes


class Position(NamedTuple):
    """A position in a log, and the credential that authorizes reading from it."""

    keys: LogKeys
    # See `Caller`.
    credential: str
    # The last known seq, or `NO_POSITION` to check the credential only.
    cursor: int
    # When the event with that seq was created, or b"" if unknown. If the log holds another event
    # with that seq, the read returns the whole log.
    last_event_time: bytes
    # The time was already compared. The read compares it again only if there are newer events.
    is_verified: bool


def log_keys(session_id: str) -> LogKeys:
    own = keys.for_session(session_id)
    partition = keys.partition_of(session_id)
    channel = own.events.encode()
    return LogKeys(partition, own.session, own.log, own.events, own.messages, channel)


@store_call
def read_logs(positions: Sequence[Position]) -> Steps[list[EventBatch | ParleyError]]:
    """Return the events after each position, or the error of that read.

    The errors are SessionNotFound, also for a credential of another session; SessionExpired; and
    StoreUnavailable, after which the read may be repeated.

    Raises:
        StoreUnavailable: no log could be read.
    """
    by_partition: dict[int, list[int]] = defaultdict(list)
    for i, position in enumerate(positions):
        by_partition[position.keys.partition].append(i)
    calls = [_read_call([positions[i] for i in group]) for group in by_partition.values()]
    replies = yield from send_all(calls)
    results: dict[int, EventBatch | ParleyError] = {}
    for group, reply in zip(by_partition.values(), replies, strict=True):
        if isinstance(reply, RedisError):
            results |= dict.fromkeys(group, unavailable(reply))
        else:
            results |= zip(group, map(_parse_reply, reply), strict=True)
    return [results[i] for i in range(len(positions))]


class LogState(NamedTuple):
    """What shows that a log need not be read."""

    # The seq of the newest event.
    seq: int
    # The session has expired if no turn is open.
    may_have_expired: bool


@store_call
def read_states(sessions: Sequence[str]) -> Steps[list[LogState | None]]:
    """Return the states of the logs of sessions, by their keys; `None` if a session is gone.

    A state costs Redis a tenth of a read.

    Raises:
        StoreUnavailable: Redis did not answer.
    """
    reads: list[Command] = [("HMGET", session, "seq", "expires_at") for session in sessions]
    time, *replies = yield from send_all([("TIME",), *reads])
    now = 1000 * parse_time(reply_or_raise(time))
    return [_parse_state(reply, now) for reply in replies]


def _parse_state(reply: Any, now: float) -> LogState | None:
    if isinstance(reply, RedisError) or reply[0] is None:
        return None
    return LogState(seq=int(reply[0]), may_have_expired=int(reply[1]) <= now)


def _read_call(positions: Sequence[Position]) -> ScriptCall:
    names: list[str] = []
    args: list[Arg] = [MAX_EVENTS, MAX_BYTES]
    for log, credential, cursor, last_event_time, is_verified in positions:
        names += (log.session, log.log, log.events, log.messages)
        args += (credential, cursor, last_event_time, int(is_verified))
    return ScriptCall(read_script("read_logs"), names, args)


def _parse_reply(text: bytes) -> EventBatch | ParleyError:
    return parse_batch(text) if text.startswith(EVENTS_PREFIX) else ERRORS[text]()


def parse_batch(text: bytes) -> EventBatch:
    """Parse events in the format of script replies and published messages."""
    head, *events = text.split(b"\n")  # stored JSON contains no line ends
    _, latest_seq, first_seq, *last_event_time = head.split()
    if events:
        last_event_time = CREATED_AT.findall(events[-1], 0, CREATED_AT_END)[:1]
    return EventBatch(
        first_seq=int(first_seq),
        latest_seq=int(latest_seq),
        events=events,
        size=len(text),
        last_event_time=b"".join(last_event_time),
    )
