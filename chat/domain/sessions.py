"""Sessions, and what is read of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What of a session's history the model is shown."""

    # Most messages, the one to be answered among them; the tutorial showed 4.
    #
    # The earlier ones are whole turns of two messages, so of an even number one is never used.
    messages: int = 20
    # Most tokens of the prompt, estimated; 0 leaves it to the model's own bound.
    tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks for an act on a session: its token's holder, or Parley itself."""

    session_id: str
    # SHA-256 of the token, hex; empty for Parley's own processes, which may do everything.
    token_hash: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSession:
    """What a session is opened with; the texts are JSON, as they are stored."""

    id: str
    token_hash: str = field(repr=False)
    # Seconds from the last activity.
    ttl: int
    name: bytes
    system_prompt: bytes
    model: bytes
    context: bytes
    metadata: bytes
    webhook_url: bytes = b"null"


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A session and messages of it, at one moment; texts are JSON, as they are stored."""

    id: str
    # Seconds since the epoch, UTC, by the store's clock; so are all times here.
    now: float
    seq: int
    # A worker holds a turn.
    running: bool
    # Turns in the inbox.
    waiting: int
    created_at: float
    last_active_at: float
    expires_at: float
    # There are older messages than those given.
    has_more: bool
    name: bytes
    model: bytes
    system_prompt: bytes
    context: bytes
    metadata: bytes
    # `null` for none of its own.
    webhook_url: bytes
    # Oldest first.
    messages: Sequence[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Messages from a place in the history on, in the order read; JSON, as stored."""

    messages: Sequence[bytes]
    has_more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPage:
    """Events of a session's log after a cursor, JSON, and where the log stands."""

    # The newest event's number.
    seq: int
    # The oldest kept event's number; `seq + 1` when none is kept.
    earliest: int
    events: Sequence[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Consecutive events of a session's log, JSON, and where the log stands."""

    # Number of the first event given; of the next one to come when none is.
    first: int
    # The newest event's number.
    newest: int
    events: Sequence[bytes]
    # Bytes that the events take, about.
    size: int
    # Tells the last event given, or the one before them when none is, from one that bears its
    # number in another history: Redis may be set back, and go on from there. Empty: not known.
    stamp: bytes = b""

    @property
    def last(self) -> int:
        """Number of the last event given."""
        return self.first + len(self.events) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Events that a follower asked for and that are no longer kept, and the session as it is."""

    # The follower's cursor.
    requested: int
    # Number of the oldest event that is kept.
    earliest: int
    # It tells all that has happened up to its seq.
    snapshot: Snapshot
