"""Sessions: open, read, change, end them."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import orjson

from chat.conversation import llms, tokens
from chat.domain import Caller, Context, EventPage, Feedback, NewSession, Page, Snapshot
from chat.domain.errors import InvalidRequest
from chat.domain.ids import message_number, random_id
from chat.settings import chat_settings
from chat.store import rate_limit, sessions
from chat.webhooks import delivery

# Events read from a log at once.
EVENT_BATCH = 500


def open_session(
    *,
    address: str = "",
    name: str = "",
    system_prompt: str | None = None,
    model: str | None = None,
    context: Context | None = None,
    metadata: Mapping[str, Any] | None = None,
    webhook_url: str | None = None,
    ttl: int | None = None,
    key: str = "",
) -> tuple[str, Snapshot]:
    """Open a session; return its token, which nobody can look up later, and the session.

    address: of the client, whose pace is limited; empty for Parley itself. key: the client's
    idempotency key; the same key and arguments give the same session and token again.

    Raises:
        UnknownModel, RateLimited, IdempotencyMismatch, StoreFull, StoreUnavailable
    """
    _pace(address)
    stored = _stored_fields(
        {
            "name": name,
            "system_prompt": system_prompt,
            "model": llms.name_or_default(model),
            "context": asdict(context or Context()),
            "metadata": metadata or {},
            "webhook_url": delivery.permitted(webhook_url),
        }
    )
    lifetime = ttl or chat_settings.SESSION_TTL
    session_id = tokens.new_session_id(key)
    seed = digest(key, stored, lifetime) if key else ""
    token = tokens.new_token(session_id, seed)
    opener = tokens.caller(token)
    sessions.create(NewSession(id=session_id, token_hash=opener.token_hash, ttl=lifetime, **stored))
    return token, read(opener)


def read(caller: Caller, *, after: int = -1, limit: int | None = None) -> Snapshot:
    """Return the session and its newest messages; see `store.sessions.snapshot`."""
    return sessions.snapshot(caller, after=after, limit=limit)


def read_if_changed(
    caller: Caller, *, known: int, after: int = -1, limit: int | None = None
) -> Snapshot | None:
    """Return the session, or `None` while its seq is still `known`."""
    return sessions.snapshot_if_changed(caller, known=known, after=after, limit=limit)


def page(
    caller: Caller, *, before: str | None, after: str | None, limit: int, newest_first: bool
) -> Page:
    """Return messages before or after the message of that id, or from one end of the history.

    Raises:
        InvalidRequest: both `before` and `after` are given.
        MessageNotFound: an id is not one of a message.
    """
    if before is not None and after is not None:
        raise InvalidRequest("Give before or after, not both.", param="after")
    cursor = before if before is not None else after
    newer = after is not None or (before is None and not newest_first)
    beside = message_number(cursor) if cursor is not None else None
    found = sessions.page(caller, cursor=beside, newer=newer, limit=limit)
    if newer != newest_first:
        return found
    return Page(messages=found.messages[::-1], has_more=found.has_more)


def message(caller: Caller, message_id: str) -> bytes:
    """Return one message as JSON.

    Raises:
        MessageNotFound, SessionNotFound, SessionExpired, StoreUnavailable
    """
    return sessions.message(caller, message_number(message_id))


def rate(caller: Caller, message_id: str, feedback: Feedback | None) -> bytes:
    """Keep feedback on a reply, or take it away; return the reply as JSON.

    Raises:
        FeedbackNotAllowed: the message is no reply, or not over.
        MessageNotFound, StoreFull, SessionNotFound, SessionExpired, StoreUnavailable
    """
    told = orjson.dumps(asdict(feedback) if feedback else None)
    return sessions.set_feedback(caller, message_number(message_id), told)


def events(caller: Caller, *, after: int, limit: int = EVENT_BATCH) -> EventPage:
    """Return the events that follow the cursor `after`, oldest first, at most `limit`."""
    return sessions.events(caller, after=after, limit=limit)


def change(caller: Caller, changes: Mapping[str, Any]) -> Snapshot:
    """Change name, system_prompt, model, context, metadata, webhook_url or ttl (seconds).

    Raises:
        UnknownModel, SessionNotFound, SessionExpired, StoreUnavailable
    """
    fields = dict(changes)
    if "model" in fields:
        fields["model"] = llms.name_or_default(fields["model"])
    if "webhook_url" in fields:
        delivery.permitted(fields["webhook_url"])
    told = orjson.dumps(fields)
    ttl = fields.pop("ttl", None)
    sessions.update(caller, told, _stored_fields(fields), ttl)
    return read(caller)


def renew_token(caller: Caller, *, key: str = "") -> tuple[str, float]:
    """Give the session a new token and a new expiry; the old token dies.

    key: the client's idempotency key; the same key and old token give the same new token again.
    """
    seed = digest(key, caller.token_hash) if key else ""
    token = tokens.new_token(caller.session_id, seed)
    return token, sessions.rotate_token(caller, tokens.hash_of(token))


def touch(caller: Caller) -> float:
    """Count a follower's presence as activity; return when the session expires."""
    return sessions.touch(caller)


def reset(caller: Caller, *, key: str = "") -> Snapshot:
    """Cancel what is open and clear the history; return the session, which stays with its token."""
    sessions.reset(caller, key=kept_key(key), digest=digest("reset"))
    return read(caller)


def delete(caller: Caller) -> None:
    """Remove every trace of the session."""
    sessions.delete(caller)


def kept_key(key: str) -> str:
    """Return the key that the store keeps: the client's, told apart from those made here."""
    return f"c:{key}" if key else f"m:{random_id()}"


def digest(*parts: object) -> str:
    """Return a short digest that tells one request from another: 16 hex digits."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _pace(address: str) -> None:
    """Let a session be opened from there, or refuse it; Parley itself, "", may always."""
    if address:
        per_minute, burst = chat_settings.SESSIONS_PER_MINUTE, chat_settings.SESSIONS_BURST
        rate_limit.throttle("sessions", address, per_minute=per_minute, burst=burst)


def _stored_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: orjson.dumps(value) for name, value in fields.items()}
