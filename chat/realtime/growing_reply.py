"""A running reply, as its deltas arrive."""

import re
from collections.abc import Iterable
from dataclasses import replace

from chat.domain import Snapshot

DELTA = b'{"type":"message.delta"'
# Starts of the events of a running reply that change no other message.
PROGRESS = (DELTA, b'{"type":"message.started"', b'{"type":"message.reasoning"')
# A running reply without `items`: what follows its seq, up to the end of its text; and the rest.
# Neither the end of the text nor `TEXT` can match inside a JSON string, where quotes are escaped.
RUNNING = re.compile(rb'\{"seq":\d+(,"status":"in_progress","content":".*?)(","id":"msg_.*)')
TEXT = b'"delta":"'
# A larger reply is read again instead: it would be kept for each client that polls.
MAX_BYTES = 64 * 1024


def is_progress(events: Iterable[bytes]) -> bool:
    """Return whether the events change nothing but a running reply."""
    return all(event.startswith(PROGRESS) for event in events)


class GrowingReply:
    """The running reply of a snapshot, which grows by the deltas of events."""

    def __init__(self, snapshot: Snapshot, start: bytes, rest: bytes) -> None:
        self._snapshot = snapshot
        self._start, self._rest = bytearray(start), rest

    @classmethod
    def find(cls, snapshot: Snapshot | None) -> "GrowingReply | None":
        """Return the reply that is running, if its text is all that can grow."""
        if snapshot is None or not snapshot.is_running:
            return None
        for message in reversed(snapshot.messages):
            if found := RUNNING.fullmatch(message):
                return cls(replace(snapshot, messages=()), *found.groups())
        return None

    @property
    def is_empty(self) -> bool:
        return self._start.endswith(b'"content":"')

    def extend(self, events: Iterable[bytes], seq: int) -> Snapshot | None:
        """Return the session with the grown reply only, or `None` if it must be read.

        events: those after the previous snapshot, up to `seq`.
        """
        for event in events:
            if not event.startswith(DELTA):
                return None
            self._start += event[event.index(TEXT) + len(TEXT) : -2]
        if len(self._start) > MAX_BYTES:
            return None
        reply = b'{"seq":%d%b%b' % (seq, bytes(self._start), self._rest)
        return replace(self._snapshot, seq=seq, messages=(reply,))
