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


class CallResult(StrEnum):
    """What a call says about the health of its model."""

    OK = "ok"
    # The model's service failed.
    FAILED = "failed"
    # The vendor asked for a delay before the next call.
    RETRY_AFTER = "retry_after"
    # Nothing: the call was cancelled, drained, or rejected for its content.
    NEUTRAL = "neutral"


class StopCause(StrEnum):
    """Why a worker ends a model call before the model does."""

    CANCELLED = "cancelled"
    # The lease is gone: somebody else writes the reply, or nobody.
    LOST = "lost"
    # No delta within the model's timeouts.
    SILENCE = "silence"
    # The model's total timeout, or the turn's own deadline.
    DEADLINE = "deadline"
    TOO_LONG = "too_long"
    # The worker is to stop.
    DRAIN = "drain"


class DeliveryStatus(StrEnum):
    """How far telling a webhook of the end of a turn has come."""

    # It is being sent, or will be tried again.
    PENDING = "pending"
    DELIVERED = "delivered"
    # It was tried as often as it may be.
    FAILED = "failed"
    # There is no webhook any more, or its receiver wants no more.
    DISABLED = "disabled"


class DeliveryState(StrEnum):
    """What is to be done about a delivery."""

    # It is tried, now or later.
    WAITING = "waiting"
    # Somebody may look why: it was given up, or there is no webhook any more.
    FAILED = "failed"
    DELIVERED = "delivered"


class Requeued(StrEnum):
    """What became of the next turn of a session that was to be begun at once."""

    REQUEUED = "REQUEUED"
    # It was being cancelled, and now has been.
    CANCELLED = "CANCELLED"
    # There is none.
    IDLE = "IDLE"


class RecoveryResult(StrEnum):
    """What a sweep found out about a session."""

    GONE = "GONE"
    EXPIRED = "EXPIRED"
    WAKE = "WAKE"
    LIVE = "LIVE"
