"""The errors with which scripts reply: an error's code in capitals, such as `SESSION_NOT_FOUND`."""

from collections.abc import Sequence
from typing import Any

from chat.domain.errors import (
    FeedbackNotAllowed,
    IdempotencyMismatch,
    LeaseLost,
    MessageNotFound,
    NotRegenerable,
    ParleyError,
    QueueFull,
    RateLimited,
    SessionBusy,
    SessionExpired,
    SessionFull,
    SessionGone,
    SessionNotFound,
    SessionQueueFull,
    TokenBudgetExceeded,
    Unavailable,
)

# Types, not instances: an exception that is raised again keeps the frames of all earlier callers.
ERRORS: dict[bytes, type[ParleyError]] = {
    error.code.upper().encode(): error
    for error in (
        FeedbackNotAllowed,
        IdempotencyMismatch,
        LeaseLost,
        MessageNotFound,
        NotRegenerable,
        QueueFull,
        RateLimited,
        SessionBusy,
        SessionExpired,
        SessionFull,
        SessionGone,
        SessionNotFound,
        SessionQueueFull,
        TokenBudgetExceeded,
    )
}


def script_error(reply: Sequence[Any]) -> ParleyError | None:
    """Return a new error if the script replied with one: its code, and ms until a retry, if known.

    `SESSION_NOT_FOUND` also means that the token belongs to another session
    (`lua/lib/authorize.lua`).
    """
    error_type = ERRORS.get(reply[0])
    if error_type is None:
        return None
    if issubclass(error_type, Unavailable) and reply[1:]:
        return error_type(retry_after=reply[1] / 1000)
    return error_type()
