"""What models meet turns with."""

from typing import ClassVar

from chat.domain.errors.base import ParleyError


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
