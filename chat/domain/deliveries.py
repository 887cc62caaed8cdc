"""What is told to webhooks."""

from dataclasses import dataclass

from chat.domain.enums import DeliveryStatus


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
    turn_attempt: int
    """Which try at the turn it tells of."""
    request_id: str
    """Of the request that asked for the turn; empty when that is not known."""


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
