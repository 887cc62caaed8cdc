"""What is wrong with a request, who makes it or what it is for."""

from chat.domain.errors.base import ParleyError


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
