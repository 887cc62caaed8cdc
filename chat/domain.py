"""The nouns of Parley as plain values. Nothing here knows Redis, Django or HTTP."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, TypeVar

N = TypeVar("N", int, float)
OrZero = Annotated[N, "or zero"]
"""A number that may be 0; what reads settings takes only positive ones without it."""


class Role(StrEnum):
    """Who speaks in a message."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


class Status(StrEnum):
    """Where a reply stands; a user message is `completed` from the moment of acceptance."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    INCOMPLETE = "incomplete"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def is_terminal(self) -> bool:
        """True when nothing will ever change the message again."""
        return self not in {Status.QUEUED, Status.IN_PROGRESS}


class FinishReason(StrEnum):
    """Why a reply ended."""

    STOP = "stop"
    LENGTH = "length"
    CONTENT_FILTER = "content_filter"
    CANCELLED = "cancelled"
    ERROR = "error"


class OnBusy(StrEnum):
    """What `submit` does when a turn of the session is queued or running."""

    ENQUEUE = "enqueue"
    REJECT = "reject"
    INTERRUPT = "interrupt"


class WaitReason(StrEnum):
    """Why a queued reply is not being written yet."""

    QUEUE = "queue"
    RATE_LIMITED = "rate_limited"
    MODEL_LOADING = "model_loading"


class UsageSource(StrEnum):
    """Who counted the tokens."""

    PROVIDER = "provider"
    ESTIMATED = "estimated"


class Rating(StrEnum):
    """What a session's owner thinks of a reply."""

    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """A rating, and what there is to say of it."""

    rating: Rating
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens that one reply took."""

    prompt_tokens: int
    completion_tokens: int
    source: UsageSource

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptMessage:
    """One message as the model is shown it."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a model is asked to write; `None` leaves the choice to the model's own settings."""

    max_tokens: int | None = None
    """Most tokens of the reply."""
    temperature: float | None = None
    """0 to 2."""
    top_p: float | None = None
    """Above 0, up to 1."""
    stop: tuple[str, ...] = ()
    """Texts at which the reply ends; they are not part of it."""
    seed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What a model is asked in one call."""

    messages: Sequence[PromptMessage]
    """In order; at most one system message, and it stands first."""
    options: Options = field(default_factory=Options)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a model's stream ended, and what it reported about itself."""

    finish_reason: FinishReason
    usage: Usage | None = None
    """`None` when the vendor sent no count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Bounds on one model call, in seconds, each more than 0."""

    connect: float = 5.0
    first_delta: float = 60.0
    """From sending the request to the first text."""
    between_deltas: float = 30.0
    total: float = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A named entry of the settings: whom to ask, how, and within which limits."""

    name: str
    """The name that clients and sessions use."""
    provider: str
    """`openai`, `completions`, `huggingface`, or the dotted path of a provider's class."""
    url: str
    """The vendor's endpoint; see the provider for what it appends."""
    model: str = ""
    """The vendor's own name of the model."""
    token: str = field(default="", repr=False)
    """Sent as a bearer token; empty sends none."""
    stream: bool = True
    """Ask for the reply piece by piece, so that closing the stream stops the model."""
    context_tokens: int = 8192
    """Most tokens of prompt and reply together; more than `max_tokens`."""
    max_tokens: int = 1024
    """Most tokens of a reply; always sent."""
    parameters: Mapping[str, object] = field(default_factory=dict)
    """Further fields of the vendor's request body (Hugging Face: of its own `parameters`)."""
    stop: tuple[str, ...] = ()
    """Texts at which every reply ends."""
    timeouts: Timeouts = field(default_factory=Timeouts)
    pool_size: int = 512
    """Most pooled connections; as many as a worker has threads."""
    verify: bool | str = True
    """Check the vendor's certificate: true, false, or the path of a CA bundle."""
    concurrency: OrZero[int] = 0
    """Most calls in flight over all workers; 0 sets no bound."""
    requests_per_minute: OrZero[int] = 0
    """Most calls a minute over all workers; 0 sets no bound."""
    tokens_per_minute: OrZero[int] = 0
    """Most tokens a minute over all workers, prompts and replies; 0 sets no bound."""
    fallback: str = ""
    """Name of the model that answers when this one cannot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What of a session's history the model is shown."""

    messages: int = 20
    """Most messages, the one to be answered among them; the tutorial showed 4.

    The earlier ones are whole turns of two messages, so of an even number one is never used.
    """
    tokens: int = 0
    """Most tokens of the prompt, estimated; 0 leaves it to the model's own bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks for an act on a session: its token's holder, or Parley itself."""

    session_id: str
    token_hash: str = field(default="", repr=False)
    """SHA-256 of the token, hex; empty for Parley's own processes, which may do everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSession:
    """What a session is opened with; the texts are JSON, as they are stored."""

    id: str
    token_hash: str = field(repr=False)
    ttl: int
    """Seconds from the last activity."""
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
    now: float
    """Seconds since the epoch, UTC, by the store's clock; so are all times here."""
    seq: int
    running: bool
    """A worker holds a turn."""
    waiting: int
    """Turns in the inbox."""
    created_at: float
    last_active_at: float
    expires_at: float
    has_more: bool
    """There are older messages than those given."""
    name: bytes
    model: bytes
    system_prompt: bytes
    context: bytes
    metadata: bytes
    webhook_url: bytes
    """`null` for none of its own."""
    messages: Sequence[bytes]
    """Oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Messages from a place in the history on, in the order read; JSON, as stored."""

    messages: Sequence[bytes]
    has_more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A turn to be accepted."""

    content: str
    ask: bytes
    """Options and request id, JSON."""
    deadline: float
    """Seconds from now within which the turn must be over."""
    on_busy: OnBusy = OnBusy.ENQUEUE
    key: str
    """Idempotency key: the client's, or one made for this request alone."""
    digest: str = ""
    """Digest of the request; empty for a key made for this request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The answer to a submission: both messages as JSON."""

    message: bytes
    reply: bytes
    position: int
    """Turns ahead of this one when it was accepted."""
    wants_wake: bool
    """Nobody is on the session: a worker should be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """The reply of a cancelled turn, JSON, and how far the cancelling has come."""

    reply: bytes
    is_final: bool
    """False while a worker has yet to read the mark."""
    wants_wake: bool = False
    """Another turn has come to the head of the inbox: a worker should be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A worker's right to write one reply."""

    session_id: str
    fence: int
    nonce: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A lease and all that is needed to ask the model."""

    lease: Lease
    turn: int
    """Number of the turn in its session, from 1; its reply is message `2 * turn`."""
    reply_id: str
    attempt: int
    seconds_left: float
    """Until the turn's own deadline."""
    model: str
    """Name of the model to ask."""
    system_prompt: str
    context: Context
    options: Options
    request_id: str
    """The request that submitted the turn, for logs."""
    traceparent: str
    """The span that submitted it, as W3C's header of that name; empty for none."""
    accepted_at: float
    """Seconds since the epoch, by the store's clock; so is the next."""
    claimed_at: float
    history: Sequence["HistoryMessage"]
    """Oldest first; the last one is the user message to answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryMessage:
    """One earlier message of the session."""

    id: str
    role: Role
    content: str
    status: Status
    reply_to: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A piece of the running reply on its way to the store."""

    offset: int
    """Bytes of the reply, JSON-escaped, that the store is known to hold already."""
    fragment: bytes
    """The text that follows them: the inside of a JSON string, UTF-8."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a turn ends."""

    status: Status
    finish_reason: FinishReason
    model: str
    usage: Usage | None = None
    error: "TurnError | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnError:
    """Why a turn failed, in words fit for the client."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """The turn goes back to the inbox, to be tried again."""

    delay: float
    """Seconds before which nobody tries."""
    reason: WaitReason
    uses_attempt: bool
    model: str | None
    """Name of the model to ask next time; `None` for the session's own."""
    error: TurnError | None = None
    """What went wrong this time; shown while the turn waits."""
    may_be_woken: bool = False
    """Whether a wake-up may have it tried before the delay is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateWait:
    """A gate's no to a call."""

    seconds: float
    """Until another try makes sense, if nobody is called earlier."""
    reason: WaitReason


class CallEnd(StrEnum):
    """How a call to a model went, for the model's gate."""

    OK = "ok"
    FAILED = "failed"
    """The model's service is in trouble."""
    HELD = "held"
    """The vendor named a time before which it wants no call."""
    LEFT = "left"
    """It says nothing about the model: cancelled, drained, refused for its content."""


class StopCause(StrEnum):
    """Why a worker ends a model call before the model does."""

    CANCELLED = "cancelled"
    LOST = "lost"
    """The lease is gone: somebody else writes the reply, or nobody."""
    SILENCE = "silence"
    """No delta within the model's timeouts."""
    DEADLINE = "deadline"
    """The model's total timeout, or the turn's own deadline."""
    TOO_LONG = "too_long"
    DRAIN = "drain"
    """The worker is to stop."""


class DeliveryStatus(StrEnum):
    """How far telling a webhook of the end of a turn has come."""

    PENDING = "pending"
    """It is being sent, or will be tried again."""
    DELIVERED = "delivered"
    FAILED = "failed"
    """It was tried as often as it may be."""
    DISABLED = "disabled"
    """There is no webhook any more, or its receiver wants no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One try at telling a webhook of the end of a turn."""

    session_id: str
    number: int
    """Of the reply."""
    nonce: str
    attempt: int
    now: float
    """Seconds since the epoch, by the store's clock."""
    url: str | None
    """The session's own webhook; `None` for the deployment's."""
    event: bytes
    """JSON, as in the session's log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """How a try went."""

    status: DeliveryStatus
    code: str
    """What it met with: the status of the receiver's answer, or a word."""
    delay: float = 0
    """Seconds until the next try of a pending one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRecord:
    """How one delivery of a session stands. Times are seconds since the epoch."""

    number: int
    """Of the reply."""
    status: DeliveryStatus
    attempts: int
    due_at: float
    """When a pending one is tried next, or a try that is on is given up."""
    at: float
    """When this changed last."""
    code: str
    """See `Delivered`; empty before the first try has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """What the end of a turn leaves to be done."""

    waits: bool
    """Another turn of the session waits."""
    posted: bool = False
    """A webhook is to be told."""


class Look(StrEnum):
    """What a sweep found out about a session."""

    GONE = "GONE"
    EXPIRED = "EXPIRED"
    WAKE = "WAKE"
    LIVE = "LIVE"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPage:
    """Events of a session's log after a cursor, JSON, and where the log stands."""

    seq: int
    """The newest event's number."""
    earliest: int
    """The oldest kept event's number; `seq + 1` when none is kept."""
    events: Sequence[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Consecutive events of a session's log, JSON, and where the log stands."""

    first: int
    """Number of the first event given; of the next one to come when none is."""
    newest: int
    """The newest event's number."""
    events: Sequence[bytes]
    size: int
    """Bytes that the events take, about."""

    @property
    def last(self) -> int:
        """Number of the last event given."""
        return self.first + len(self.events) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Events that a follower asked for and that are no longer kept, and the session as it is."""

    requested: int
    """The follower's cursor."""
    earliest: int
    """Number of the oldest event that is kept."""
    snapshot: Snapshot
    """It tells all that has happened up to its seq."""
