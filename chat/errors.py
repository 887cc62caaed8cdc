"""Every error that Parley raises on purpose, each with a stable public `code`.

    ParleyError
    ├── BadInput                  what was sent cannot be accepted
    │   ├── UnknownModel
    │   ├── ForbiddenURL
    │   ├── IdempotencyMismatch
    │   ├── HeadTooLarge
    │   ├── BodyTooLarge
    │   ├── BodyIncomplete
    │   ├── UnsupportedMediaType
    │   ├── MethodNotAllowed
    │   └── InvalidHost
    ├── NotAllowed                who asks may not
    │   ├── InvalidToken
    │   ├── AuthTimeout
    │   └── SessionExpired
    ├── NotFound                  no such thing, or not the caller's
    │   ├── SessionNotFound
    │   └── MessageNotFound
    ├── Conflict                  the state forbids it now
    │   ├── SessionBusy
    │   └── NotRegenerable
    ├── Refused                   try again later
    │   ├── RateLimited
    │   ├── TokenBudgetSpent
    │   ├── InboxFull
    │   ├── QueueFull
    │   ├── SessionFull
    │   └── StoreUnavailable
    │       └── StoreFull
    ├── SlowReader                a follower has fallen too far behind
    ├── BrokerUnavailable         a wake-up cannot be sent; the sweep makes up for it
    ├── TurnLost                  the worker no longer holds the turn
    │   ├── LeaseLost
    │   └── SessionGone
    ├── ProviderError             the model did not answer as hoped
    │   ├── ModelRateLimited
    │   ├── ModelLoading
    │   ├── ModelUnavailable
    │   │   └── ModelUntrusted
    │   ├── ModelTimeout
    │   ├── BadModelReply
    │   ├── ModelRefused
    │   ├── ContextTooLong
    │   ├── DeadlineExceeded
    │   └── UpstreamClosed
    └── ConfigError               the settings name something impossible

An error's message defaults to the first line of its docstring. No HTTP status stands here:
`chat.api.exception_handler` maps codes to statuses.
"""

from typing import ClassVar


class ParleyError(Exception):
    """Something went wrong."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str = "", *, param: str | None = None) -> None:
        self.message = message or (type(self).__doc__ or "").partition("\n")[0]
        self.param = param
        super().__init__(self.message)


class BadInput(ParleyError):
    """The request is not valid."""

    code = "invalid_request"


class UnknownModel(BadInput):
    """There is no model of this name."""

    code = "unknown_model"


class ForbiddenURL(BadInput):
    """This URL is not one that may be called: http or https, a public address, no redirect."""

    code = "forbidden_url"


class IdempotencyMismatch(BadInput):
    """This Idempotency-Key was used with another request body."""

    code = "idempotency_mismatch"


class HeadTooLarge(BadInput):
    """The request line and headers are too large."""

    code = "head_too_large"


class BodyTooLarge(BadInput):
    """The request body is too large."""

    code = "body_too_large"


class BodyIncomplete(BadInput):
    """The request body did not arrive whole, or not in time."""

    code = "body_incomplete"


class UnsupportedMediaType(BadInput):
    """The request body must be uncompressed application/json in UTF-8."""

    code = "unsupported_media_type"


class MethodNotAllowed(BadInput):
    """This path does not know the method."""

    code = "method_not_allowed"


class InvalidHost(BadInput):
    """This service does not answer to the Host that was named."""

    code = "invalid_host"


class NotAllowed(ParleyError):
    """This is not allowed."""

    code = "not_allowed"


class InvalidToken(NotAllowed):
    """A valid session token is required."""

    code = "invalid_token"


class AuthTimeout(NotAllowed):
    """Nobody has authenticated in time."""

    code = "auth_timeout"


class SessionExpired(NotAllowed):
    """The session has expired."""

    code = "session_expired"


class NotFound(ParleyError):
    """There is nothing here."""

    code = "not_found"


class SessionNotFound(NotFound):
    """There is no such session."""

    code = "session_not_found"


class MessageNotFound(NotFound):
    """There is no such message in this session."""

    code = "message_not_found"


class Conflict(ParleyError):
    """The session's state does not allow this now."""

    code = "conflict"


class SessionBusy(Conflict):
    """A turn of this session is queued or running."""

    code = "session_busy"


class NotRegenerable(Conflict):
    """Only the last reply of a session can be regenerated."""

    code = "not_regenerable"


class NotRateable(Conflict):
    """Only a reply that is over can be rated."""

    code = "not_rateable"


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


class BrokerUnavailable(ParleyError):
    """The broker cannot be reached."""

    code = "broker_unavailable"


class TurnLost(ParleyError):
    """The turn is no longer this worker's to write."""

    code = "turn_lost"


class LeaseLost(TurnLost):
    """Another claim, a recovery or a reset has ended this lease."""

    code = "lease_lost"


class SessionGone(TurnLost):
    """The session was deleted or has expired."""

    code = "session_gone"


class ProviderError(ParleyError):
    """The model could not answer."""

    code = "model_error"
    retryable: ClassVar[bool] = False
    """Whether another call may succeed."""
    is_outage: ClassVar[bool] = False
    """Whether it says that the service may be in trouble, whoever asks it for whatever."""
    uses_attempt: ClassVar[bool] = True
    """Whether the failed call counts as an attempt even when the vendor said when to come back."""

    def __init__(self, message: str = "", *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        """Seconds the vendor asked us to wait; `None` when it named none."""


class ModelRateLimited(ProviderError):
    """The model's vendor limits the rate of calls."""

    code = "model_rate_limited"
    retryable = True
    is_outage = True
    uses_attempt = False


class ModelLoading(ProviderError):
    """The model is being loaded."""

    code = "model_loading"
    retryable = True
    is_outage = True
    uses_attempt = False


class ModelUnavailable(ProviderError):
    """The model's service cannot be reached or fails."""

    code = "model_unavailable"
    retryable = True
    is_outage = True


class ModelUntrusted(ModelUnavailable):
    """The model's service could not prove who it is."""

    code = "model_untrusted"
    retryable = False
    is_outage = False


class ModelTimeout(ProviderError):
    """The model took too long."""

    code = "model_timeout"
    retryable = True
    is_outage = True


class BadModelReply(ProviderError):
    """The model's service sent something that is not a reply."""

    code = "bad_model_reply"
    retryable = True


class ModelRefused(ProviderError):
    """The model's service refused the request."""

    code = "model_refused"


class ContextTooLong(ModelRefused):
    """The conversation is longer than the model can read."""

    code = "context_too_long"


class DeadlineExceeded(ProviderError):
    """The turn was not over by its deadline."""

    code = "deadline_exceeded"


class UpstreamClosed(ProviderError):
    """This side closed the call."""

    code = "upstream_closed"


class ConfigError(ParleyError):
    """A setting is wrong."""

    code = "config_error"
