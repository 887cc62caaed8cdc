"""Sessions in Redis: opening, reading, changing, ending them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from chat.domain import Caller, EventPage, NewSession, Page, Snapshot
from chat.domain.errors import ParleyError, RateLimited
from chat.domain.ids import random_id
from chat.settings import chat_settings
from chat.store.client import client, map_errors
from chat.store.message_json import json_escape
from chat.store.scripts import (
    ERRORS,
    Arg,
    ScriptCall,
    call_with_delivery_keys,
    execute,
    execute_call,
    run_pipeline,
    script_call,
)
from chat.store.search import normalize_name
from chat.store.turns import min_interval

NO_SEQ = -1
"""A seq that no session has."""


def create(new: NewSession) -> tuple[float, float]:
    """Open a session; return when it was created and when it expires, seconds since the epoch.

    The same call again gives the same answer.

    Raises:
        IdempotencyMismatch: the id belongs to a session that was opened otherwise.
    """
    _, created, expires = execute("create", new.id, *_create_args(new))
    return created / 1000, expires / 1000


def restore(new: NewSession, texts: Sequence[str]) -> None:
    """Open a session with a history; all of it or nothing.

    texts: of a message and its reply by turns. The same call again changes nothing.

    Raises:
        StoreFull, StoreUnavailable
        IdempotencyMismatch: the id belongs to another session.
    """
    execute("restore", new.id, *_restore_args(new, texts))


def restore_call(new: NewSession, texts: Sequence[str]) -> ScriptCall:
    """Return the call of `restore`, for those who make many at once."""
    return script_call("restore", new.id, *_restore_args(new, texts))


def _restore_args(new: NewSession, texts: Sequence[str]) -> tuple[Arg, ...]:
    size = sum(len(text.encode()) for text in texts)
    return (*_create_args(new), size, *map(json_escape, texts))


def _create_args(new: NewSession) -> tuple[Arg, ...]:
    return (
        new.token_hash,
        new.ttl,
        chat_settings.MAX_SESSION_AGE,
        new.name,
        new.system_prompt,
        new.model,
        new.context,
        new.metadata,
        new.webhook_url,
        normalize_name(orjson.loads(new.name)),
    )


def snapshot(caller: Caller, *, after: int = -1, limit: int | None = None) -> Snapshot:
    """Return the session and its newest messages.

    after: only messages changed after this seq; limit: most messages.
    """
    return _parse_snapshot(caller, _execute_snapshot(caller, after, NO_SEQ, limit))


def snapshot_if_changed(
    caller: Caller, *, known: int, after: int = -1, limit: int | None = None
) -> Snapshot | None:
    """Return the same, or `None` while the session's seq is still `known`."""
    words = _execute_snapshot(caller, after, known, limit)
    return None if words[0] == b"UNCHANGED" else _parse_snapshot(caller, words)


class Poll(NamedTuple):
    """What `snapshot_if_changed` is asked."""

    caller: Caller
    known: int
    after: int
    limit: int


def snapshots_if_changed(polls: Sequence[Poll]) -> list[Snapshot | ParleyError | None]:
    """Return for each poll what it finds, or why it is refused, in one round trip.

    Raises:
        StoreUnavailable: Redis gave no answer.
    """
    with map_errors():
        answers = run_pipeline(client(), [_snapshot_call(*poll) for poll in polls])
    return [_parse_poll(poll, words) for poll, words in zip(polls, answers, strict=True)]


def _snapshot_call(caller: Caller, known: int, after: int, limit: int) -> ScriptCall:
    return script_call("snapshot", caller.session_id, caller.token_hash, after, known, limit)


def _parse_poll(poll: Poll, words: Any) -> Snapshot | ParleyError | None:
    try:
        with map_errors():
            if isinstance(words, Exception):
                raise words
    except ParleyError as error:
        return error
    if refusal := ERRORS.get(words[0]):
        return refusal()
    return None if words[0] == b"UNCHANGED" else _parse_snapshot(poll.caller, words)


def _execute_snapshot(caller: Caller, after: int, known: int, limit: int | None) -> list[Any]:
    most = chat_settings.PAGE_LIMIT if limit is None else limit
    return execute("snapshot", caller.session_id, caller.token_hash, after, known, most)


def _parse_snapshot(caller: Caller, words: list[Any]) -> Snapshot:
    now, seq, turn, waiting, created, active, expires, has_more = words[1:9]
    name, model, system_prompt, context, metadata, webhook_url = words[9:15]
    return Snapshot(
        id=caller.session_id,
        now=now / 1000,
        seq=seq,
        running=turn != 0,
        waiting=waiting,
        created_at=created / 1000,
        last_active_at=active / 1000,
        expires_at=expires / 1000,
        has_more=bool(has_more),
        name=name,
        model=model,
        system_prompt=system_prompt,
        context=context,
        metadata=metadata,
        webhook_url=webhook_url,
        messages=words[15:],
    )


def page(caller: Caller, *, cursor: int | None, newer: bool, limit: int) -> Page:
    """Return messages newer or older than message number `beside`, in the order read.

    Without `beside` the reading begins at the oldest or the newest message.
    """
    place = -1 if cursor is None else cursor
    words = execute("page", caller.session_id, caller.token_hash, place, 1 if newer else -1, limit)
    return Page(messages=words[2:], has_more=bool(words[1]))


def message(caller: Caller, number: int) -> bytes:
    """Return one message as JSON."""
    words = execute("message", caller.session_id, caller.token_hash, number)
    found: bytes = words[1]
    return found


def set_feedback(caller: Caller, number: int, feedback: bytes) -> bytes:
    """Keep feedback on a reply, a JSON object or null; return the reply as JSON.

    The same call again changes nothing.

    Raises:
        FeedbackNotAllowed: the message is no reply, or not over.
        MessageNotFound, StoreFull, SessionNotFound, SessionExpired, StoreUnavailable
    """
    rated: bytes = execute("set_feedback", caller.session_id, caller.token_hash, number, feedback)[
        1
    ]
    return rated


def events(caller: Caller, *, after: int, limit: int) -> EventPage:
    """Return the events that follow the cursor `after`, at most `limit`."""
    words = execute("events", caller.session_id, caller.token_hash, after, limit)
    return EventPage(seq=words[1], earliest=words[2], events=words[3:])


def update(caller: Caller, changes: bytes, fields: dict[str, bytes], ttl: int | None) -> None:
    """Change fields of the session.

    changes: what changes, a JSON object for the log; fields: the same, each as stored JSON.
    """
    flat = [part for field in fields.items() for part in field]
    renewed = "" if ttl is None else ttl
    name = "=" + normalize_name(orjson.loads(fields["name"])) if "name" in fields else ""
    execute("update", caller.session_id, caller.token_hash, renewed, changes, name, *flat)


def rotate_token(caller: Caller, token_hash: str) -> float:
    """Put a new token in the old one's place; return when the session expires."""
    words = execute("rotate_token", caller.session_id, caller.token_hash, token_hash)
    expires: float = words[1] / 1000
    return expires


def touch(caller: Caller) -> float:
    """Count a follower's presence as activity; return when the session expires."""
    words = execute("touch", caller.session_id, caller.token_hash)
    expires: float = words[1] / 1000
    return expires


def reset(caller: Caller, *, key: str = "", digest: str = "") -> None:
    """Cancel what is open and clear the history.

    key: the client's idempotency key; without one, each call is a reset of its own.

    Raises:
        RateLimited: it counts as a message, and there were too many; nothing was changed.
    """
    words = execute(
        "reset",
        caller.session_id,
        caller.token_hash,
        key or random_id(),
        digest,
        int(bool(chat_settings.SESSION_TOKENS_PER_HOUR)),
        min_interval(),
        chat_settings.MESSAGES_BURST,
    )
    if words[0] == b"RATE_LIMITED":
        raise RateLimited(retry_after=words[1] / 1000)


def delete(caller: Caller) -> None:
    """Remove every trace of the session."""
    execute_call(call_with_delivery_keys("delete", caller.session_id, caller.token_hash))
