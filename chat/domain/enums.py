"""The words that states, roles and reasons are told by."""

from enum import StrEnum


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


class DeliveryState(StrEnum):
    """What is to be done about a delivery."""

    WAITING = "waiting"
    """It is tried, now or later."""
    FAILED = "failed"
    """Somebody may look why: it was given up, or there is no webhook any more."""
    DELIVERED = "delivered"


class Requeued(StrEnum):
    """What became of the next turn of a session that was to be begun at once."""

    REQUEUED = "REQUEUED"
    CANCELLED = "CANCELLED"
    """It was being cancelled, and now has been."""
    IDLE = "IDLE"
    """There is none."""


class Look(StrEnum):
    """What a sweep found out about a session."""

    GONE = "GONE"
    EXPIRED = "EXPIRED"
    WAKE = "WAKE"
    LIVE = "LIVE"
