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
    # Options and request id, JSON.
    ask: bytes
    # Seconds from now within which the turn must be over.
    deadline: float
    on_busy: OnBusy = OnBusy.ENQUEUE
    # Idempotency key: the client's, or one made for this request alone.
    key: str
    # Digest of the request; empty for a key made for this request.
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The answer to a submission: both messages as JSON."""

    message: bytes
    reply: bytes
    # Turns ahead of this one when it was accepted.
    position: int
    # Nobody is on the session: a worker should be told.
    wants_wake: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """The reply of a cancelled turn, JSON, and how far the cancelling has come."""

    reply: bytes
    # False while a worker has yet to read the mark.
    is_final: bool
    # Whether this call has changed anything.
    is_new: bool
    # Another turn has come to the head of the inbox: a worker should be told.
    wants_wake: bool = False


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
    # Number of the turn in its session, from 1; its reply is message `2 * turn`.
    turn: int
    reply_id: str
    attempt: int
    # Until the turn's own deadline.
    seconds_left: float
    # Name of the model to ask.
    model: str
    system_prompt: str
    context: Context
    options: Options
    # The request that submitted the turn, for logs.
    request_id: str
    # The span that submitted it, as W3C's header of that name; empty for none.
    traceparent: str
    # Seconds since the epoch, by the store's clock; so is the next.
    accepted_at: float
    claimed_at: float
    # Oldest first; the last one is the user message to answer.
    history: Sequence["HistoryMessage"]


class HistoryMessage(NamedTuple):
    """One earlier message of the session; a claim has some twenty, see `PromptMessage`."""

    id: str
    role: Role
    content: str
    status: Status
    reply_to: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """A piece of the running reply on its way to the store."""

    # Bytes of the reply, JSON-escaped, that the store is known to hold already.
    offset: int
    # The text that follows them: the inside of a JSON string, UTF-8.
    fragment: bytes


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

    # Seconds before which nobody tries.
    delay: float
    reason: WaitReason
    uses_attempt: bool
    # Name of the model to ask next time; `None` for the session's own.
    model: str | None
    # What went wrong this time; shown while the turn waits.
    error: TurnError | None = None
    # Whether a wake-up may have it tried before the delay is over.
    may_be_woken: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LimiterDelay:
    """A model's limiter blocks a call for now."""

    # Until the next attempt, unless the session is woken earlier.
    seconds: float
    reason: WaitReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """What the end of a turn leaves to be done."""

    # Another turn of the session waits.
    waits: bool
    # A webhook is to be told.
    posted: bool = False
