"""The errors with which scripts reply: an error's code in capitals, such as `SESSION_NOT_FOUND`."""

from collections.abc import Sequence
from typing import Any

from chat.domain.budgets import Period, Scope, exceeded_message
from chat.domain.errors import (
    BudgetExceeded,
    FeedbackNotAllowed,
    IdempotencyMismatch,
    LeaseLost,
    MessageNotFound,
    NotEditable,
    NotLastTurn,
    NotRegenerable,
    OwnerQueueFull,
    ParleyError,
    QueueFull,
    RateLimited,
    SessionBusy,
    SessionExpired,
    SessionFilesFull,
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
        BudgetExceeded,
        FeedbackNotAllowed,
        IdempotencyMismatch,
        LeaseLost,
        MessageNotFound,
        NotEditable,
        NotLastTurn,
        NotRegenerable,
        OwnerQueueFull,
        QueueFull,
        RateLimited,
        SessionBusy,
        SessionExpired,
        SessionFilesFull,
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
    if error_type is BudgetExceeded and reply[1:]:
        return _budget_exceeded(*reply[1:])
    if issubclass(error_type, Unavailable) and reply[1:]:
        return error_type(retry_after=reply[1] / 1000)
    return error_type()


def _budget_exceeded(ms: int, budget: bytes, ends_at: int) -> BudgetExceeded:
    scope, period = budget.decode().split(":")
    message = exceeded_message(Scope(scope), Period(period), ends_at / 1000)
    return BudgetExceeded(message, retry_after=ms / 1000)
