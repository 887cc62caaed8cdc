"""Turns, as clients submit them and as workers hold them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from chat.domain.budgets import Reservation
from chat.domain.enums import FinishReason, OnBusy, Rating, Role, Status, WaitReason
from chat.domain.files import Part
from chat.domain.history import PastTurn
from chat.domain.identity import Identity
from chat.domain.llm import Options, PromptMessage, Usage
from chat.domain.sessions import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """A rating with an optional comment."""

    rating: Rating
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnExtras:
    """What requests of other protocols than Parley's own add to a turn."""

    # For this turn only, after the session's system prompt.
    instructions: str = ""
    # The whole prompt after the session's system prompt; it replaces the history.
    messages: Sequence[PromptMessage] = ()
    # The turn fails if the model cannot read the whole history.
    is_untruncated: bool = False
    # See `Submission`.
    params: bytes = b""
    after_reply: int | None = None
    before: Sequence[PastTurn] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A turn to accept."""

    content: str
    # Options and request id, JSON.
    request: bytes
    # Seconds from now within which the turn must end.
    deadline: float
    on_busy: OnBusy = OnBusy.ENQUEUE
    # Number of the user message that this one is an edited version of, if any.
    replaces: int | None = None
    # Idempotency key: the client's, or a random one.
    key: str
    # Digest of the request; empty for a random key.
    digest: str = ""
    # What a client's protocol shows of its request, JSON; kept with the reply. Empty for none.
    params: bytes = b""
    # Number of the reply that must be the session's last one; `None` for any.
    after_reply: int | None = None
    # Parts of the message, JSON; empty if it has only text.
    parts: bytes = b""
    # Turns to add to the history before this one. Their files are stored already.
    before: Sequence[PastTurn] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The result of a submission: both messages as JSON."""

    session_id: str
    message: bytes
    reply: bytes
    # Turns ahead of this one when it was accepted.
    queue_position: int
    # No worker has the session: wake one.
    needs_wake: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """The reply of a cancelled turn as JSON, and the state of the cancellation."""

    reply: bytes
    # False until the worker has read the request.
    has_ended: bool
    # Whether this call changed anything.
    has_effect: bool
    # Another turn is next in the session queue: wake a worker.
    needs_wake: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A worker's right to write one reply."""

    session_id: str
    fence: int
    nonce: str


class ModelCaller(NamedTuple):
    """On whose behalf a model is called; a limiter gives fair shares to all of them."""

    # `key` or `anon`.
    party_class: str
    # The tenant, the API key, or the address or network of an anonymous client.
    party: str
    # The user, the API key, or the address.
    owner: str
    session_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A lease, and everything needed to call the model."""

    lease: Lease
    # Number of the turn in its session, from 1; its reply is message `2 * turn`.
    turn: int
    reply_id: str
    attempt: int
    # Seconds until the turn's deadline.
    seconds_left: float
    # Name of the model to call.
    model: str
    system_prompt: str
    # For this turn only, after the system prompt.
    instructions: str = ""
    # The whole prompt after the system prompt, if the client has sent it.
    messages: Sequence[PromptMessage] = ()
    # The turn fails if the model cannot read the whole history.
    is_untruncated: bool = False
    context: Context
    options: Options
    # The request that submitted the turn, for logs.
    request_id: str
    # W3C `traceparent` of the span that submitted the turn; empty for none.
    traceparent: str
    # Both in seconds since the epoch, by Redis's clock.
    accepted_at: float
    claimed_at: float
    # Oldest first; the last one is the user message to answer.
    history: Sequence["HistoryMessage"]
    # The session has earlier messages.
    has_more: bool = False
    # Who opened the session.
    identity: Identity

    @property
    def owner(self) -> str:
        """The unit that shares a party's part of a model; see `Identity.owner`."""
        return self.identity.owner

    @property
    def party(self) -> str:
        """The unit that shares a model; see `Identity.party`."""
        return self.identity.party

    @property
    def model_caller(self) -> ModelCaller:
        return ModelCaller(self.identity.party_class, self.party, self.owner, self.lease.session_id)


class HistoryMessage(NamedTuple):
    """One earlier message. A named tuple, because a claim creates about twenty of them."""

    id: str
    role: Role
    content: str
    status: Status
    reply_to: str | None
    # Id of the message that a user message is an edited version of.
    replaces: str | None = None
    # 0 for the empty reply to a message that a client has added to the history.
    attempt: int = 1
    # See `PromptMessage`.
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """Model output on its way to the store."""

    # Bytes of the escaped output before this delta.
    offset: int
    # Text and reasoning, see `lua/lib/output.lua`.
    escaped: bytes
    # Of the prompt, estimated: counted if the worker is lost. 0 if it is not known.
    prompt_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What an attempt has used."""

    # Tokens that count towards the session's budget; 0 if it has none.
    tokens: int = 0
    # `None` if the model was not called, or rejected the call. Counted by the metrics.
    usage: Usage | None = None
    # What the attempt has reserved in budgets, if any.
    reservation: Reservation | None = None


# Of attempts that did not call the model.
NO_CHARGE = Charge()


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
    """Why a turn failed, for the client."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """The turn returns to the session queue for another attempt."""

    # Seconds until the next attempt.
    delay: float
    reason: WaitReason
    uses_attempt: bool
    # Model of the next attempt; `None` for the session's model.
    model: str | None
    # Why this attempt failed; shown while the turn waits.
    error: TurnError | None = None
    # Whether a wake-up may start the attempt before the delay is over.
    may_be_woken: bool = False
    # Sessions that call the model before this one, at most.
    ahead: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LimiterDelay:
    """A model's limiter blocks a call for now."""

    # Time until the next attempt, unless the session is woken earlier.
    seconds: float
    reason: WaitReason
    # Sessions that call the model before this one, at most.
    ahead: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishResult:
    """What remains to do after a turn."""

    # Another turn of the session is queued.
    has_queued_turns: bool = False
    # A webhook delivery was added to the outbox.
    has_delivery: bool = False
