"""Turns: as clients ask for them, and as workers hold them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from chat.domain.enums import FinishReason, OnBusy, Rating, Role, Status, WaitReason
from chat.domain.llm import Options, Usage
from chat.domain.sessions import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """A rating, and what there is to say of it."""

    rating: Rating
    comment: str = ""


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
    is_new: bool
    """Whether this call has changed anything."""
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


class HistoryMessage(NamedTuple):
    """One earlier message of the session; a claim has some twenty, see `PromptMessage`."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """What the end of a turn leaves to be done."""

    waits: bool
    """Another turn of the session waits."""
    posted: bool = False
    """A webhook is to be told."""
