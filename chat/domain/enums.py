"""Roles, statuses and reasons."""

from enum import StrEnum


class Role(StrEnum):
    """Author of a message."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


class Status(StrEnum):
    """Status of a reply. A user message is `completed` from acceptance."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    INCOMPLETE = "incomplete"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def is_terminal(self) -> bool:
        """Return whether the reply has ended."""
        return self not in {Status.QUEUED, Status.IN_PROGRESS}


class FinishReason(StrEnum):
    """Why a reply ended."""

    STOP = "stop"
    LENGTH = "length"
    CONTENT_FILTER = "content_filter"
    CANCELLED = "cancelled"
    ERROR = "error"


class OnBusy(StrEnum):
    """What `submit` does while a turn of the session is queued or running."""

    ENQUEUE = "enqueue"
    REJECT = "reject"
    INTERRUPT = "interrupt"


class WaitReason(StrEnum):
    """Why a reply is still queued."""

    # It is behind other turns, or its next attempt waits for anything but the reasons below: a
    # back-off, a free slot, a fallback, or another worker.
    QUEUE = "queue"
    # Its owner or party has its share of the model's slots, or of the worker.
    OWN_SHARE = "own_share"
    # The circuit of the model or of its party is open.
    CIRCUIT = "circuit"
    # The model's limits, or the vendor's, allow no call now.
    RATE_LIMITED = "rate_limited"
    # The vendor loads the model.
    MODEL_LOADING = "model_loading"


class UsageSource(StrEnum):
    """Source of token counts."""

    PROVIDER = "provider"
    ESTIMATED = "estimated"


class Rating(StrEnum):
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
    """Why a worker stops a model call."""

    CANCELLED = "cancelled"
    # The lease is lost.
    LOST = "lost"
    # A delta could not be written, and another try would not help.
    WRITE_FAILED = "write_failed"
    # No event, or no text, within the model's timeouts.
    EVENT_TIMEOUT = "event_timeout"
    # The model's total timeout or the turn's deadline.
    DEADLINE = "deadline"
    TOO_LONG = "too_long"
    # The worker is shutting down.
    DRAIN = "drain"


class DeliveryStatus(StrEnum):
    # Being sent, or waiting for another attempt.
    PENDING = "pending"
    DELIVERED = "delivered"
    # All attempts failed.
    FAILED = "failed"
    # The webhook was removed, or its receiver answered 410 Gone.
    DISABLED = "disabled"


class DeliveryGroup(StrEnum):
    """The lists of deliveries that staff see. Each holds one status, except `FAILED`."""

    PENDING = "pending"
    # This list includes disabled deliveries.
    FAILED = "failed"
    DELIVERED = "delivered"


class Requeued(StrEnum):
    """Result of requeueing a session's next turn."""

    REQUEUED = "REQUEUED"
    # It was being cancelled, and is cancelled now.
    CANCELLED = "CANCELLED"
    # The session has no open turn.
    IDLE = "IDLE"


class RecoveryResult(StrEnum):
    """What a sweep found out about a session."""

    GONE = "GONE"
    EXPIRED = "EXPIRED"
    WAKE = "WAKE"
    LIVE = "LIVE"
