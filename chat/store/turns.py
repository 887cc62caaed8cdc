"""Turns as clients act on them: submit, regenerate, cancel."""

from typing import Any

from chat.domain import Accepted, Caller, Cancelled, Submission
from chat.domain.errors import (
    NotRegenerable,
    ParleyError,
    QueueFull,
    RateLimited,
    SessionBusy,
    SessionFull,
    SessionQueueFull,
    TokenBudgetExceeded,
)
from chat.settings import chat_settings, has_webhook
from chat.store.message_json import json_escape
from chat.store.scripts import execute, execute_and_wait, milliseconds

MINUTE = 60_000
"""Milliseconds."""

ERRORS: dict[bytes, ParleyError] = {
    b"BUSY": SessionBusy(),
    b"NOT_LAST": NotRegenerable(),
    b"SESSION_QUEUE_FULL": SessionQueueFull(retry_after=5),
    b"QUEUE_FULL": QueueFull(retry_after=5),
    b"SESSION_FULL": SessionFull(retry_after=60),
}


def submit(caller: Caller, submission: Submission) -> Accepted:
    """Accept a user message and the turn that will answer it.

    Raises:
        SessionBusy: `on_busy` is `reject` and a turn is open.
        RateLimited, TokenBudgetExceeded, SessionQueueFull, QueueFull, SessionFull: a limit is
            reached;
            nothing was changed.
        StoreFull: Redis takes in nothing new.
        IdempotencyMismatch, SessionNotFound, SessionExpired, StoreUnavailable
    """
    content = json_escape(submission.content)
    words = execute_and_wait(
        "submit",
        caller.session_id,
        caller.token_hash,
        content,
        len(submission.content.encode()),
        submission.request,
        milliseconds(submission.deadline),
        milliseconds(chat_settings.WAKE_GRACE),
        submission.on_busy,
        submission.key,
        submission.digest,
        chat_settings.MAX_QUEUED_TURNS_PER_SESSION,
        _max_queued_per_partition(),
        min_interval(),
        chat_settings.MESSAGES_BURST,
        chat_settings.MAX_SESSION_BYTES,
        int(has_webhook()),
        chat_settings.SESSION_TOKENS_PER_HOUR,
    )
    return _parse_accepted(words)


def regenerate(
    caller: Caller, number: int, *, ask: bytes, deadline: float, key: str, digest: str
) -> Accepted:
    """Accept a turn that replies anew to the session's last user message.

    number: of the reply to replace, or of its user message; deadline: seconds from now.

    Raises:
        MessageNotFound: there is no such message.
        NotRegenerable: it is not the session's last turn.
        RateLimited, TokenBudgetExceeded, QueueFull: a limit is reached; nothing was changed.
        StoreFull, SessionNotFound, SessionExpired, StoreUnavailable
    """
    words = execute_and_wait(
        "regenerate",
        caller.session_id,
        caller.token_hash,
        number,
        ask,
        milliseconds(deadline),
        milliseconds(chat_settings.WAKE_GRACE),
        _max_queued_per_partition(),
        min_interval(),
        chat_settings.MESSAGES_BURST,
        key,
        digest,
        int(has_webhook()),
        chat_settings.SESSION_TOKENS_PER_HOUR,
    )
    return _parse_accepted(words)


def cancel(caller: Caller, number: int) -> Cancelled:
    """Cancel the turn of a message: at once while it waits, by a mark while it runs.

    Raises:
        MessageNotFound, SessionNotFound, SessionExpired, StoreUnavailable
    """
    words = execute("cancel", caller.session_id, caller.token_hash, number)
    word, reply = words[:2]
    return Cancelled(
        reply=reply,
        is_final=word != b"CANCEL_REQUESTED",
        is_change=word == b"CANCELLED" or (word == b"CANCEL_REQUESTED" and words[2] == 1),
        needs_wake=word == b"CANCELLED" and not words[2],
    )


def _parse_accepted(words: list[Any]) -> Accepted:
    if words[0] == b"RATE_LIMITED":
        raise RateLimited(retry_after=words[1] / 1000)
    if words[0] == b"TOKEN_BUDGET_EXCEEDED":
        raise TokenBudgetExceeded(retry_after=words[1] / 1000)
    if refusal := ERRORS.get(words[0]):
        raise refusal
    _, message, reply, position, awake = words
    return Accepted(message=message, reply=reply, queue_position=position, needs_wake=not awake)


def _max_queued_per_partition() -> int:
    """Most waiting turns of one partition: its equal share, rounded up."""
    return -(-chat_settings.MAX_QUEUED_TURNS // chat_settings.PARTITIONS)


def min_interval() -> int:
    """Milliseconds between two messages of a session at the steady rate; 0 sets no bound."""
    return MINUTE // chat_settings.MESSAGES_PER_MINUTE if chat_settings.MESSAGES_PER_MINUTE else 0
