"""Every error that Parley raises on purpose, each with a stable public `code`.

    ParleyError
    ├── InvalidRequest            the request cannot be accepted
    │   ├── UnknownModel
    │   ├── UnsupportedParameter
    │   ├── UnsupportedContent
    │   ├── StreamTrimmed
    │   ├── ForbiddenURL
    │   ├── IdempotencyMismatch
    │   ├── HeadersTooLarge
    │   ├── BodyTooLarge
    │   ├── RequestTimeout
    │   ├── UnsupportedMediaType
    │   ├── MethodNotAllowed
    │   └── InvalidHost
    ├── NotAllowed                the caller has no permission
    │   ├── Banned
    │   ├── InvalidToken
    │   ├── AuthTimeout
    │   └── SessionExpired
    ├── NotFound                  does not exist, or belongs to another client
    │   ├── SessionNotFound
    │   ├── MessageNotFound
    │   └── FileNotFound
    ├── Conflict                  the session's state does not permit it now
    │   ├── SessionBusy
    │   ├── NotEditable
    │   ├── NotLastTurn
    │   ├── NotRegenerable
    │   ├── NothingToContinue
    │   └── FeedbackNotAllowed
    ├── Unavailable               try again later
    │   ├── RateLimited
    │   ├── TokenBudgetExceeded
    │   ├── BudgetExceeded
    │   ├── AddressQuotaExceeded
    │   ├── QuotaExceeded
    │   ├── SessionQueueFull
    │   ├── OwnerQueueFull
    │   ├── QueueFull
    │   ├── SessionFull
    │   ├── SessionFilesFull
    │   ├── IssuerUnavailable
    │   └── StoreUnavailable
    │       └── StoreFull
    ├── SlowConsumer              a subscriber fell too far behind
    ├── TurnFailed                an accepted turn failed; its reply reports it, no response
    │   ├── TurnExpired
    │   ├── WorkerLost
    │   └── ProviderError         the model call failed
    │       ├── ModelRateLimited
    │       ├── ModelLoading
    │       ├── ModelUnavailable
    │       │   └── ModelTLSError
    │       ├── ModelTimeout
    │       ├── ModelInvalidResponse
    │       ├── ModelBadRequest
    │       │   └── ContextTooLong
    │       ├── DeadlineExceeded
    │       └── UpstreamClosed
    └── InternalError             no client sees these; some appear in logs
        ├── BrokerUnavailable     a wake-up was not published; the sweeper replaces it
        ├── TurnLost              the worker no longer holds the turn
        │   ├── LeaseLost
        │   └── SessionGone
        └── ConfigError           a setting is wrong

The message defaults to the first line of the class's docstring. `chat.api.exception_handler` maps
codes to HTTP statuses.
"""

from typing import ClassVar


class ParleyError(Exception):
    """Something went wrong."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str = "", *, param: str | None = None) -> None:
        self.message = message or (type(self).__doc__ or "").partition("\n")[0]
        self.param = param
        super().__init__(self.message)


class InvalidRequest(ParleyError):
    """The request is not valid."""

    code = "invalid_request"


class UnknownModel(InvalidRequest):
    """Unknown model."""

    code = "unknown_model"


class ForbiddenURL(InvalidRequest):
    """This URL is not allowed: use http or https and a public address that does not redirect."""

    code = "forbidden_url"


class UnsupportedParameter(InvalidRequest):
    """This parameter is not supported."""

    code = "unsupported_parameter"


class UnsupportedContent(InvalidRequest):
    """This kind of content is not supported."""

    code = "unsupported_content"


class StreamTrimmed(InvalidRequest):
    """The events of this response are no longer available; retrieve it without `stream`."""

    code = "stream_trimmed"


class IdempotencyMismatch(InvalidRequest):
    """This Idempotency-Key was used with another request body."""

    code = "idempotency_mismatch"


class HeadersTooLarge(InvalidRequest):
    """The request line and headers are too large."""

    code = "headers_too_large"


class BodyTooLarge(InvalidRequest):
    """The request body is too large."""

    code = "body_too_large"


class RequestTimeout(InvalidRequest):
    """The request body was incomplete or did not arrive in time."""

    code = "request_timeout"


class UnsupportedMediaType(InvalidRequest):
    """The request body must be uncompressed application/json in UTF-8."""

    code = "unsupported_media_type"


class MethodNotAllowed(InvalidRequest):
    """This path does not support the method."""

    code = "method_not_allowed"


class InvalidHost(InvalidRequest):
    """The Host header names a host that this service does not serve."""

    code = "invalid_host"


class NotAllowed(ParleyError):
    """This is not allowed."""

    code = "not_allowed"


class Banned(NotAllowed):
    """This address, API key or user is banned."""

    code = "banned"


class InvalidToken(NotAllowed):
    """A valid session token is required."""

    code = "invalid_token"


class AuthTimeout(NotAllowed):
    """Authentication timed out."""

    code = "auth_timeout"


class SessionExpired(NotAllowed):
    """The session has expired."""

    code = "session_expired"


class NotFound(ParleyError):
    """Not found."""

    code = "not_found"


class SessionNotFound(NotFound):
    """Session not found."""

    code = "session_not_found"


class MessageNotFound(NotFound):
    """Message not found in this session."""

    code = "message_not_found"


class FileNotFound(NotFound):
    """File not found in this session."""

    code = "file_not_found"


class Conflict(ParleyError):
    """The session's state does not allow this now."""

    code = "conflict"


class SessionBusy(Conflict):
    """A turn of this session is queued or running."""

    code = "session_busy"


class NotEditable(Conflict):
    """Only the message of the last turn can be edited."""

    code = "not_editable"


class NotLastTurn(Conflict):
    """The session has a later turn."""

    code = "not_last_turn"


class NotRegenerable(Conflict):
    """Only the last reply of a session can be regenerated."""

    code = "not_regenerable"


class NothingToContinue(Conflict):
    """The session's last reply did not end at its maximum length."""

    code = "nothing_to_continue"


class FeedbackNotAllowed(Conflict):
    """Only a finished reply can be rated."""

    code = "feedback_not_allowed"


class Unavailable(ParleyError):
    """Not available now; try again later.

    retry_after: seconds before retrying.
    """

    code = "unavailable"
    default_retry_after: ClassVar[float] = 1.0

    def __init__(
        self, message: str = "", *, param: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message, param=param)
        self.retry_after = self.default_retry_after if retry_after is None else retry_after


class RateLimited(Unavailable):
    """Too many requests."""

    code = "rate_limited"


class TokenBudgetExceeded(Unavailable):
    """The session has used its token budget for this hour."""

    code = "token_budget_exceeded"


class BudgetExceeded(Unavailable):
    """The budget is used up."""

    code = "budget_exceeded"
    default_retry_after = 60.0


class AddressQuotaExceeded(Unavailable):
    """Too many sessions or bytes are stored for your address; delete sessions, or try later."""

    code = "address_quota_exceeded"
    default_retry_after = 60.0


class QuotaExceeded(Unavailable):
    """Too many sessions or bytes are stored for this user or tenant; delete sessions."""

    code = "quota_exceeded"
    default_retry_after = 60.0


class SessionQueueFull(Unavailable):
    """Too many turns of this session are queued."""

    code = "session_queue_full"
    # A queue has room again when a turn has ended.
    default_retry_after = 5.0


class OwnerQueueFull(Unavailable):
    """Too many turns of this user, tenant, API key or address are queued or running."""

    code = "owner_queue_full"
    default_retry_after = 5.0


class QueueFull(Unavailable):
    """Too many turns are queued; the service is at its limit."""

    code = "queue_full"
    default_retry_after = 5.0


class SessionFull(Unavailable):
    """The session has reached its maximum size; open a new one or reset it."""

    code = "session_full"
    default_retry_after = 60.0


class SessionFilesFull(Unavailable):
    """The files of the session have reached their maximum size; open a new session or reset it."""

    code = "session_files_full"
    default_retry_after = 60.0


class IssuerUnavailable(Unavailable):
    """The keys of the JWT's issuer are not available; try again later."""

    code = "issuer_unavailable"
    default_retry_after = 5.0


class StoreUnavailable(Unavailable):
    """Storage is unavailable; the request may be stored. Retry with the same Idempotency-Key."""

    code = "store_unavailable"


class StoreFull(StoreUnavailable):
    """Storage is full. New messages are rejected; replies in progress will complete."""

    code = "store_full"


class SlowConsumer(ParleyError):
    """The client read too slowly; resume from the last seq that it received."""

    code = "slow_consumer"


class TurnFailed(ParleyError):
    """The turn failed."""


class TurnExpired(TurnFailed):
    """The turn did not start before its deadline."""

    code = "turn_expired"  # in lua/lib/session_queue.lua


class WorkerLost(TurnFailed):
    """The workers that ran this turn were lost."""

    code = "worker_lost"  # in lua/recover.lua


class InternalError(ParleyError):
    """Internal error."""


class BrokerUnavailable(InternalError):
    """The broker cannot be reached."""

    code = "broker_unavailable"


class TurnLost(InternalError):
    """This worker may no longer write the turn."""

    code = "turn_lost"


class LeaseLost(TurnLost):
    """Another claim, a recovery or a reset ended this lease."""

    code = "lease_lost"


class SessionGone(TurnLost):
    """The session was deleted or has expired."""

    code = "session_gone"


class ProviderError(TurnFailed):
    """The model call failed.

    retry_after: seconds that the vendor asked to wait, or `None`.
    is_busy: the status is 429 or 503, so other calls must wait, too.
    """

    code = "model_error"
    # Whether another call may succeed.
    retryable: ClassVar[bool] = False
    # Whether the failure may affect all callers of the model's service.
    is_outage: ClassVar[bool] = False
    # Whether the vendor has not run the model, so that the call costs nothing.
    is_free: ClassVar[bool] = False
    # Whether the call counts as an attempt even if the vendor sent a Retry-After.
    counts_as_attempt: ClassVar[bool] = True

    def __init__(
        self, message: str = "", *, retry_after: float | None = None, is_busy: bool = False
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.is_busy = is_busy


class ModelRateLimited(ProviderError):
    """The model's vendor limits the rate of calls."""

    code = "model_rate_limited"
    is_free = True
    retryable = True
    is_outage = True
    counts_as_attempt = False


class ModelLoading(ProviderError):
    """The model is loading."""

    code = "model_loading"
    is_free = True
    retryable = True
    is_outage = True
    counts_as_attempt = False


class ModelUnavailable(ProviderError):
    """The model's service cannot be reached or fails."""

    code = "model_unavailable"
    is_free = True
    retryable = True
    is_outage = True


class ModelTLSError(ModelUnavailable):
    """The TLS certificate of the model's service is not valid."""

    code = "model_tls_error"
    retryable = False
    is_outage = False


class ModelTimeout(ProviderError):
    """The model took too long."""

    code = "model_timeout"
    retryable = True
    is_outage = True


class ModelInvalidResponse(ProviderError):
    """The model's service sent an invalid response."""

    code = "model_invalid_response"
    retryable = True


class ModelBadRequest(ProviderError):
    """The model's service rejected the request."""

    code = "model_bad_request"
    is_free = True


class ContextTooLong(ModelBadRequest):
    """The conversation exceeds the model's context window."""

    code = "context_too_long"


class DeadlineExceeded(ProviderError):
    """The reply did not end before the deadline of the turn or the total timeout of the model."""

    code = "deadline_exceeded"


class UpstreamClosed(ProviderError):
    """Parley closed the call."""

    code = "upstream_closed"


class ConfigError(InternalError):
    """A setting is wrong."""

    code = "config_error"
