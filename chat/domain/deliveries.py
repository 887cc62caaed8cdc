"""What is told to webhooks."""

from dataclasses import dataclass

from chat.domain.enums import DeliveryStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One try at telling a webhook of the end of a turn."""

    session_id: str
    # Of the reply.
    number: int
    nonce: str
    attempt: int
    # Seconds since the epoch, by the store's clock.
    now: float
    # The session's own webhook; `None` for the deployment's.
    url: str | None
    # JSON, as in the session's log.
    event: bytes
    # Which try at the turn it tells of.
    turn_attempt: int
    # Of the request that asked for the turn; empty when that is not known.
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """How a try went."""

    status: DeliveryStatus
    # What it met with: the status of the receiver's answer, or a word.
    code: str
    # Seconds until the next try of a pending one.
    delay: float = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRecord:
    """How one delivery of a session stands. Times are seconds since the epoch."""

    # Of the reply.
    number: int
    status: DeliveryStatus
    attempts: int
    # When a pending one is tried next, or a try that is on is given up.
    due_at: float
    # When this changed last.
    at: float
    # See `Delivered`; empty before the first try has ended.
    code: str
