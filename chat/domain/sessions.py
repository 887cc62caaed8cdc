"""Sessions and the results of reading them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from chat.domain.identity import PARLEY_ITSELF, Identity, Principal
from chat.domain.policy import NO_POLICY, Policy

# The credential of Parley itself. No client has it.
INTERNAL = ""


# Maximum `messages` of a context: more than a session can have.
MAX_CONTEXT_MESSAGES = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Limits of the context window of a session.

    messages: maximum, including the one to answer; the tutorial used 4. Earlier messages are sent
    as complete turns of two. tokens: maximum of the prompt, estimated; 0 uses the model's limit.
    """

    messages: int = 20
    tokens: int = 0


# As many messages as the model reads.
WHOLE_CONTEXT = Context(messages=MAX_CONTEXT_MESSAGES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who acts on a session: a client, or Parley itself.

    Scripts check its right to do so (`chat/store/lua/lib/authorize.lua`).
    """

    session_id: str
    # SHA-256 of the session's token, hex; or `Principal.credential`, whose colon no hash has. Empty
    # for Parley's own processes; see `internal`.
    credential: str = field(repr=False)
    # The API key or JWT that authenticated the client; `None` for the session's token.
    principal: Principal | None = None
    # The client's; "" if it does not matter. A subscription of a banned address is closed.
    address: str = ""

    @classmethod
    def internal(cls, session_id: str) -> Self:
        """Return Parley itself, which needs no token: scripts grant it all permissions."""
        return cls(session_id=session_id, credential=INTERNAL)

    @classmethod
    def from_principal(cls, principal: Principal, session_id: str) -> Self:
        return cls(session_id=session_id, credential=principal.credential, principal=principal)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSession:
    """The fields of a new session. Those of type bytes are JSON, as stored."""

    id: str
    token_hash: str = field(repr=False)
    # Seconds from the last activity to expiry.
    ttl: int
    name: bytes
    system_prompt: bytes
    model: bytes
    context: bytes
    metadata: bytes
    webhook_url: bytes = b"null"
    identity: Identity = PARLEY_ITSELF
    policy: Policy = NO_POLICY
    # Whether the list of the user's sessions has it.
    is_listed: bool = True

    @property
    def size(self) -> int:
        """Return the bytes of the fields that clients set."""
        fields = (self.name, self.system_prompt, self.model, self.context, self.metadata)
        return sum(map(len, (*fields, self.webhook_url)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A session and some of its messages at one moment. Fields of type bytes are JSON, as stored.

    Times are seconds since the epoch, UTC, by Redis's clock.
    """

    id: str
    now: float
    seq: int
    # Whether a worker holds a turn.
    is_running: bool
    # Number of queued turns.
    queued_turns: int
    created_at: float
    last_active_at: float
    expires_at: float
    # Whether there are older messages.
    has_more: bool
    name: bytes
    model: bytes
    system_prompt: bytes
    context: bytes
    metadata: bytes
    # `null` if the session has none.
    webhook_url: bytes
    # Oldest first.
    messages: Sequence[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page of the history: messages as JSON, as stored."""

    messages: Sequence[bytes]
    has_more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPage:
    """Events after a cursor, as JSON. seq: of the newest event.

    earliest: seq of the oldest event in the log; `seq + 1` if it is empty.
    """

    seq: int
    earliest: int
    events: Sequence[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventBatch:
    """Consecutive events of a session's log, as JSON."""

    # The number of the first event here, or of the next event to come if there is none.
    first_seq: int
    # The number of the newest event in the log.
    latest_seq: int
    events: Sequence[bytes]
    # Approximate size of the events, in bytes.
    size: int
    # When the last event here (or, if there is none, the one before `first_seq`) was created; b""
    # if unknown. After a failover to an older replica another event may get the same seq; this time
    # tells them apart.
    last_event_time: bytes = b""

    @property
    def last_seq(self) -> int:
        """Return the seq of the last event."""
        return self.first_seq + len(self.events) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Events that a subscriber requested but the log no longer has, and a snapshot instead."""

    # The subscriber's cursor.
    requested: int
    # seq of the oldest event in the log.
    earliest: int
    # Contains everything up to its seq.
    snapshot: Snapshot
