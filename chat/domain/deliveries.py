"""Webhook deliveries."""

from dataclasses import dataclass

from chat.domain.enums import DeliveryStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class DueDelivery:
    """A delivery that may be attempted now."""

    session_id: str
    # Number of the reply.
    number: int
    # The session's webhook; `None` for the deployment's.
    url: str | None
    # The same as JSON, as stored.
    webhook: bytes
    # Owner of the session, or its id if it is deleted.
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryAttempt:
    """One attempt at a delivery: a request to a webhook at the end of a turn."""

    session_id: str
    # Number of the reply.
    number: int
    nonce: str
    attempt: int
    # Seconds since the epoch, by Redis's clock.
    now: float
    # The session's webhook; `None` for the deployment's.
    url: str | None
    # The event as JSON, as in the session's log.
    event: bytes
    # The attempt of the turn that the event reports.
    turn_attempt: int
    # The request that submitted the turn; empty if unknown.
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryResult:
    """The result of one attempt."""

    status: DeliveryStatus
    # The HTTP status of the response, or the kind of error.
    code: str
    # Seconds until the next attempt, if pending.
    delay: float = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRecord:
    """The state of one delivery. Times are seconds since the epoch."""

    # Number of the reply.
    number: int
    status: DeliveryStatus
    attempts: int
    # When a pending delivery is attempted next, or a running attempt loses its lease.
    due_at: float
    # Time of the last change.
    at: float
    # See `DeliveryResult`; empty before the first attempt has ended.
    code: str
