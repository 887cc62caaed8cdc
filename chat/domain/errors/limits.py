"""What cannot be done now."""

from chat.domain.errors.base import ParleyError


class Refused(ParleyError):
    """Not now; try again later."""

    code = "refused"

    def __init__(
        self, message: str = "", *, param: str | None = None, retry_after: float = 1.0
    ) -> None:
        super().__init__(message, param=param)
        self.retry_after = retry_after
        """Seconds after which another try makes sense."""


class RateLimited(Refused):
    """Too many requests."""

    code = "rate_limited"


class TokenBudgetSpent(Refused):
    """The session has taken as many tokens as it may in an hour."""

    code = "token_budget_spent"


class InboxFull(Refused):
    """Too many turns of this session are waiting."""

    code = "inbox_full"


class QueueFull(Refused):
    """Too many turns are waiting; the service is at its limit."""

    code = "queue_full"


class SessionFull(Refused):
    """The session holds as much as it may; open a new one or reset it."""

    code = "session_full"


class StoreUnavailable(Refused):
    """The store cannot be reached; nothing was changed as far as is known."""

    code = "store_unavailable"


class StoreFull(StoreUnavailable):
    """The store takes in nothing new; running replies still land."""

    code = "store_full"


class SlowReader(ParleyError):
    """Too little was read in time; go on from the last seq that arrived."""

    code = "slow_reader"
