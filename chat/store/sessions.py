"""Sessions in Redis: create, read, update and delete them."""

from dataclasses import asdict
from typing import Any, NamedTuple, TypeVar

import orjson

from chat.domain import NO_HISTORY, Caller, EventPage, History, NewSession, Page
from chat.domain.ids import random_id
from chat.domain.policy import NO_POLICY, Policy
from chat.domain.rates import interval_ms
from chat.settings import chat_settings
from chat.store import keys, openers, quota
from chat.store.api_keys import parse_policy
from chat.store.calls import Steps, execute, gather, no_calls, send_script, store_call
from chat.store.files import description
from chat.store.message_json import past_turn_args
from chat.store.rate_limit import change_rate
from chat.store.routing import Arg
from chat.store.scripts import ScriptCall, call_with_delivery_keys, script_call
from chat.store.search.session_filter import normalize_name

T = TypeVar("T")

# Maximum events per read of a log.
EVENT_BATCH = 500


@store_call
def create(new: NewSession, history: History = NO_HISTORY) -> Steps[tuple[float, float]]:
    """Create a session with a history, atomically. The same call, repeated, has the same result.

    Returns created_at and expires_at, seconds since the epoch.

    Raises:
        SessionFilesFull: the files of the history are too large.
        AddressQuotaExceeded, QuotaExceeded: a client has too many sessions or bytes.
        IdempotencyMismatch: another session has this id.
        StoreFull, StoreUnavailable
    """
    times, _ = yield from create_and(no_calls(), new, history)
    return times


def create_and(
    then: Steps[T], new: NewSession, history: History = NO_HISTORY
) -> Steps[tuple[tuple[float, float], T]]:
    """Create a session, and execute a store call that uses it in the same round trip.

    Returns the result of `create`, and that of the call.

    Raises:
        as `create` and the call; of both, the error of `create`.
    """
    bytes_ = yield from quota.reserve_for.steps(new, more=history.size)
    reply, result = yield from gather(send_script(_create_call(new, history, bytes_)), then)
    _, created, expires = reply
    return (created / 1000, expires / 1000), result


def _create_call(new: NewSession, history: History, bytes_: int) -> ScriptCall:
    if history.turns:
        return restore_call(new, history, bytes_)
    return script_call("create", new.id, *_create_args(new, bytes_))


def restore_call(new: NewSession, history: History, bytes_: int = 0) -> ScriptCall:
    """Return the call that creates a session with a history.

    bytes_: that are reserved for the session.
    """
    copied = " ".join(history.copied)
    args = (*_create_args(new, bytes_), copied, *_history_args(history))
    call = script_call("restore", new.id, *args)
    source = keys.for_session(history.source or new.id)
    return ScriptCall(call.script, (*call.keys, source.files), call.args)


@store_call
def append_history(caller: Caller, history: History, *, key: str, digest: str = "") -> Steps[int]:
    """Append turns to an idle session, atomically; return the number of the last reply.

    key: idempotency key: the client's, or a random one; digest: of the request, empty for a random
    key.

    Raises:
        SessionBusy: a turn is open.
        RateLimited, SessionFilesFull, SessionFull, AddressQuotaExceeded, QuotaExceeded: nothing was
            changed.
        StoreFull, IdempotencyMismatch, SessionNotFound, SessionExpired, StoreUnavailable
    """
    args: list[Arg] = [*change_rate(caller), key, digest, *_history_args(history)]
    reply = yield from _send_within_quota("append_history", caller, *args)
    return 2 * int(reply[1])


def _history_args(history: History) -> list[Arg]:
    """Return the arguments of `lua/lib/restore_turns.lua`."""
    args: list[Arg] = [chat_settings.MAX_SESSION_FILE_BYTES, len(history.files)]
    for file, content in history.files.values():
        args += (file.id, description(file), content)
    return [*args, *past_turn_args(history.turns)]


def _create_args(new: NewSession, bytes_: int) -> tuple[Arg, ...]:
    identity = new.identity
    addresses = " ".join(identity.addresses)
    unlisted = "" if new.is_listed else "1"
    opened_by = (addresses, identity.api_key, identity.tenant, identity.owner)
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
        identity.tenant,
        identity.user,
        identity.api_key,
        addresses,
        " ".join(identity.quota_holders),
        identity.owner,
        identity.party,
        "" if new.policy == NO_POLICY else orjson.dumps(asdict(new.policy)),
        bytes_,
        " ".join(openers.labels(*opened_by, unlisted)),
        unlisted,
    )


class Rules(NamedTuple):
    """What decides which rules of the operator apply to a session."""

    policy: Policy
    # Name of the session's model.
    model: str
    # See `Identity.party`.
    party: str


@store_call
def rules(caller: Caller) -> Steps[Rules]:
    """Return the rules of the session.

    Raises:
        SessionNotFound, SessionExpired, StoreUnavailable
    """
    call = script_call("rules", caller.session_id, caller.credential)
    _, policy, model, party = yield from send_script(call)
    parsed = parse_policy(orjson.loads(policy)) if policy else NO_POLICY
    return Rules(policy=parsed, model=orjson.loads(model), party=party.decode())


@store_call
def page(caller: Caller, *, cursor: int | None, newer: bool, limit: int) -> Steps[Page]:
    """Return messages newer or older than message number `cursor`, in the order read.

    cursor: `None` to start at the oldest or the newest message.
    """
    start, step = -1 if cursor is None else cursor, 1 if newer else -1
    max_bytes = chat_settings.MAX_PAGE_BYTES
    args = (caller.credential, start, step, limit, max_bytes)
    result = yield from send_script(script_call("page", caller.session_id, *args))
    return Page(messages=result[2:], has_more=bool(result[1]))


def message(caller: Caller, number: int) -> bytes:
    """Return one message as JSON."""
    return message_and_params(caller, number)[0]


@store_call
def message_and_params(caller: Caller, number: int) -> Steps[tuple[bytes, bytes]]:
    """Return one message as JSON, and the params of a reply's turn; b"" for none."""
    call = script_call("message", caller.session_id, caller.credential, number)
    result = yield from send_script(call)
    return result[1], result[2]


def set_params(caller: Caller, number: int, params: bytes) -> None:
    """Replace the params of a reply's turn.

    Raises:
        MessageNotFound, SessionNotFound, SessionExpired, StoreUnavailable
    """
    execute(script_call("set_params", caller.session_id, caller.credential, number, params))


@store_call
def set_feedback(caller: Caller, number: int, feedback: bytes) -> Steps[bytes]:
    """Store feedback on a reply, a JSON object or null; return the reply as JSON.

    The call can be repeated.

    Raises:
        FeedbackNotAllowed: the message is not a reply, or has not ended.
        RateLimited, SessionFull, AddressQuotaExceeded: a limit is reached; nothing was changed.
        MessageNotFound, StoreFull, SessionNotFound, SessionExpired, StoreUnavailable
    """
    args = (number, feedback, *change_rate(caller))
    reply = yield from _send_within_quota("set_feedback", caller, *args)
    return bytes(reply[1])


@store_call
def events(caller: Caller, *, after: int, limit: int = EVENT_BATCH) -> Steps[EventPage]:
    """Return at most `limit` events after the cursor, oldest first."""
    call = script_call("events", caller.session_id, caller.credential, after, limit)
    result = yield from send_script(call)
    return EventPage(seq=result[1], earliest=result[2], events=result[3:])


@store_call
def update(
    caller: Caller, changes: bytes, fields: dict[str, bytes], ttl: int | None
) -> Steps[None]:
    """Change fields of the session.

    changes: the changed fields, a JSON object for the event log; fields: the same, each as JSON.

    Raises:
        RateLimited, SessionFull, AddressQuotaExceeded: a limit is reached; nothing was changed.
        StoreFull, SessionNotFound, SessionExpired, StoreUnavailable
    """
    pairs = [part for field in fields.items() for part in field]
    new_ttl = "" if ttl is None else ttl
    name = "=" + normalize_name(orjson.loads(fields["name"])) if "name" in fields else ""
    args = (*change_rate(caller), new_ttl, changes, name, *pairs)
    yield from _send_within_quota("update", caller, *args)


def rotate_token(caller: Caller, token_hash: str) -> float:
    """Replace the token; return when the session expires, seconds since the epoch.

    Raises:
        RateLimited: too many changes; nothing was changed.
        StoreFull, SessionNotFound, SessionExpired, StoreUnavailable
    """
    args = (caller.credential, token_hash, *change_rate(caller))
    result = execute(script_call("rotate_token", caller.session_id, *args))
    expires_at: float = result[1] / 1000
    return expires_at


def touch(caller: Caller) -> float:
    """Count a subscriber's presence as activity; return when the session expires."""
    reply = execute(script_call("touch", caller.session_id, caller.credential))
    expires_at: float = reply[1] / 1000
    return expires_at


@store_call
def reset(caller: Caller, *, key: str = "", digest: str = "") -> Steps[None]:
    """Cancel open turns and delete the history.

    key: the client's idempotency key; without one, every call resets the session.

    Raises:
        RateLimited: a reset counts as a message, and there were too many; nothing was changed.
        SessionFull: of idempotency keys, which a reset keeps; nothing was changed.
    """
    yield from _send_within_quota(
        "reset",
        caller,
        key or random_id(),
        digest,
        int(bool(chat_settings.SESSION_TOKENS_PER_HOUR)),
        interval_ms(chat_settings.MESSAGES_PER_MINUTE),
        chat_settings.MESSAGES_BURST,
    )


def delete(caller: Caller) -> None:
    """Delete the session with all its keys."""
    call = call_with_delivery_keys("delete", caller.session_id, caller.credential)
    quota.release([(caller.session_id, execute(call)[1])])


def _send_within_quota(name: str, caller: Caller, *args: Arg) -> Steps[list[Any]]:
    call = script_call(name, caller.session_id, caller.credential, *args)
    reply = yield from quota.within_quota(caller.session_id, lambda: send_script(call))
    return reply
