"""Turns as clients ask for them: submit, regenerate, cancel."""

import logging
from dataclasses import asdict
from typing import Any

import orjson

from chat import broker
from chat.conversation.sessions import digest, kept_key
from chat.domain import Accepted, Caller, Cancelled, OnBusy, Options, Submission
from chat.domain.ids import message_number
from chat.logging import log_context
from chat.settings import chat_settings
from chat.store import turns
from chat.store.message_json import message_number_in
from chat.tracing import tracing

logger = logging.getLogger(__name__)


def submit(
    *,
    caller: Caller,
    content: str,
    on_busy: OnBusy = OnBusy.ENQUEUE,
    options: Options | None = None,
    deadline: float | None = None,
    key: str = "",
    request_id: str = "",
) -> Accepted:
    """Accept a user message; a worker is told when none is on the session.

    deadline: seconds within which the turn must be over; key: the client's idempotency key.

    Raises:
        SessionBusy, RateLimited, TokenBudgetExceeded, SessionQueueFull, QueueFull, SessionFull:
            nothing was
            changed.
        IdempotencyMismatch, SessionNotFound, SessionExpired, StoreFull, StoreUnavailable
    """
    with tracing.span("submit", session=caller.session_id):
        submission = Submission(
            content=content,
            ask=_ask(options, request_id),
            deadline=min(deadline or chat_settings.TURN_DEADLINE, chat_settings.TURN_DEADLINE),
            on_busy=on_busy,
            key=kept_key(key),
            digest=digest("submit", content, on_busy, options, deadline) if key else "",
        )
        return _woken(caller, turns.submit(caller, submission))


def regenerate(
    *,
    caller: Caller,
    message_id: str,
    options: Options | None = None,
    key: str = "",
    request_id: str = "",
) -> Accepted:
    """Accept a turn that replies anew to the last user message; the earlier reply stays.

    Raises:
        MessageNotFound, NotRegenerable, RateLimited, QueueFull: nothing was changed.
        IdempotencyMismatch, SessionNotFound, SessionExpired, StoreFull, StoreUnavailable
    """
    with tracing.span("submit", session=caller.session_id):
        accepted = turns.regenerate(
            caller,
            message_number(message_id),
            ask=_ask(options, request_id),
            deadline=chat_settings.TURN_DEADLINE,
            key=kept_key(key),
            digest=digest("regenerate", message_id, options) if key else "",
        )
        return _woken(caller, accepted)


def cancel(*, caller: Caller, message_id: str) -> Cancelled:
    """Cancel the turn of a reply or of its user message; what was said of it stays.

    Raises:
        MessageNotFound, SessionNotFound, SessionExpired, StoreUnavailable
    """
    cancelled = turns.cancel(caller, message_number(message_id))
    if cancelled.wants_wake:
        broker.wake_session(caller.session_id)
    return cancelled


def _woken(caller: Caller, accepted: Accepted) -> Accepted:
    if accepted.wants_wake:
        broker.wake_session(caller.session_id)
    number = message_number_in(accepted.reply)
    with log_context(session=caller.session_id, turn=number // 2, **tracing.log_fields()):
        logger.info("msg_%d: accepted", number)
    return accepted


def _ask(options: Options | None, request_id: str) -> bytes:
    """Return what the turn is asked with, as JSON; what is not set is left out."""
    asked: dict[str, Any] = tracing.inject()
    if request_id:
        asked["request_id"] = request_id
    if options is not None:
        chosen = asdict(options).items()
        asked["options"] = {name: value for name, value in chosen if value not in (None, ())}
    return orjson.dumps(asked)
