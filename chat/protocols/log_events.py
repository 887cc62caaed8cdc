"""Events of a session's log, read without decoding them."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

# The start of every event of a message. No text of a client precedes it.
HEAD = re.compile(
    rb'\{"type":"message\.(\w+)","seq":(\d+),"session_id":"[^"]*","created_at":[\d.]+,'
    rb'"message_id":"(msg_\d+)"'
)
DELTA = b',"delta":"'
TERMINAL = frozenset({b"completed", b"incomplete", b"failed", b"cancelled", b"expired"})


class LogEvent(NamedTuple):
    """An event of one message."""

    # Without `message.`.
    kind: bytes
    seq: int
    message_id: bytes
    json: bytes
    # Where the members of this kind begin.
    start: int

    @property
    def delta(self) -> bytes:
        """Return the text of a delta, the inside of a JSON string."""
        return self.json[self.start + len(DELTA) : -2]

    @property
    def is_terminal(self) -> bool:
        return self.kind in TERMINAL

    def decode(self) -> Mapping[str, Any]:
        decoded: Mapping[str, Any] = orjson.loads(self.json)
        return decoded


def parse_event(event: bytes) -> LogEvent | None:
    """Return the event of a message; `None` for an event of the session."""
    match = HEAD.match(event)
    if match is None:
        return None
    return LogEvent(match[1], int(match[2]), match[3], event, match.end())
