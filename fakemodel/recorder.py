"""What was asked of the dev model: counters always, the calls themselves for tests."""

import time
from collections import deque
from dataclasses import dataclass, field

# What a long test run may keep; the oldest calls go first.
MOST_CALLS = 20_000
MOST_BYTES = 64 * 1024 * 1024  # of request bodies


@dataclass(slots=True, kw_only=True)
class Entry:
    """One call; times are seconds since the epoch."""

    number: int
    """Counts from 1 in order of arrival, also across what was dropped."""
    format: str
    path: str
    body: bytes
    received_at: float
    in_flight: int
    """Calls being answered when this one came, itself included."""
    status: int | None = None
    """The HTTP status sent; None while nothing was."""
    fault: str | None = None
    """The fault that hit the call, by name."""
    first_byte_at: float | None = None
    finished_at: float | None = None
    closed_early: bool = False
    """Whether the caller left before the reply was complete."""
    bytes_sent: int = 0
    """Bytes of the body handed to the socket."""


@dataclass(slots=True)
class Record:
    """Counts all calls and, if `keeps`, remembers the last of them."""

    keeps: bool
    calls: deque[Entry] = field(default_factory=deque)
    total: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    kept_bytes: int = 0

    def open(self, *, format_name: str, path: str, body: bytes) -> Entry:
        """The entry of a call that has just come."""
        self.total += 1
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        entry = Entry(
            number=self.total,
            format=format_name,
            path=path,
            body=body,
            received_at=time.time(),
            in_flight=self.in_flight,
        )
        if self.keeps:
            self.keep(entry)
        return entry

    def close(self, entry: Entry) -> None:
        """Note that the call is over."""
        self.in_flight -= 1
        entry.finished_at = time.time()

    def keep(self, entry: Entry) -> None:
        """Remember `entry`, and forget the oldest beyond the bounds."""
        self.calls.append(entry)
        self.kept_bytes += len(entry.body)
        while len(self.calls) > MOST_CALLS or self.kept_bytes > MOST_BYTES:
            self.kept_bytes -= len(self.calls.popleft().body)

    def reset(self) -> None:
        """Forget all calls; those still in flight stay counted."""
        self.calls.clear()
        self.kept_bytes = 0
        self.total = 0
        self.most_in_flight = self.in_flight
