"""Sessions: open, read, update, reset and delete them."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, TypeVar

import orjson

from chat.accounts import address_limits, principal_limits
from chat.conversation import llms, policies, tokens
from chat.conversation.idempotency import digest, storage_key
from chat.domain import (
    NO_HISTORY,
    PARLEY_ITSELF,
    Caller,
    Context,
    History,
    Identity,
    NewSession,
    PartyClass,
    Principal,
    Snapshot,
)
from chat.domain.errors import InvalidToken
from chat.domain.policy import NO_POLICY, Policy
from chat.settings import chat_settings
from chat.store import sessions, snapshots
from chat.store.calls import Steps, store_call
from chat.store.stored_addresses import stored_forms
from chat.webhooks import delivery

T = TypeVar("T")


@store_call
def open_session(
    *,
    address: str = "",
    principal: Principal | None = None,
    name: str = "",
    system_prompt: str | None = None,
    model: str | None = None,
    context: Context | None = None,
    metadata: Mapping[str, Any] | None = None,
    webhook_url: str | None = None,
    ttl: int | None = None,
    key: str = "",
) -> Steps[tuple[str, Snapshot]]:
    """Open a session; return its token and the session. The token cannot be retrieved later.

    address: the client's; empty for Parley's own calls. principal: of its API key or JWT, which
    is rate limited instead of the address. ttl: seconds. key: the client's idempotency key; the
    same key and arguments from the same client return the same session and token.

    Raises:
        UnknownModel, ForbiddenURL, InvalidRequest, NotAllowed: an argument is not valid or not
            allowed.
        InvalidToken: anonymous clients may not open sessions.
        RateLimited, AddressQuotaExceeded, QuotaExceeded, IdempotencyMismatch, StoreFull,
            StoreUnavailable
    """
    yield from admit.steps(address, principal)
    opened = yield from create_session(
        snapshots.read.steps,
        address=address,
        principal=principal,
        key=key,
        ttl=ttl,
        name=name,
        system_prompt=system_prompt,
        model=model,
        context=context,
        metadata=metadata,
        webhook_url=webhook_url,
    )
    return opened


@store_call
def admit(address: str, principal: Principal | None) -> Steps[None]:
    """Check that a client may open a session now, which counts; arguments as in `open_session`.

    Raises:
        InvalidToken: anonymous clients may not open sessions.
        RateLimited, StoreUnavailable
    """
    if principal is not None:
        yield from principal_limits.throttle_sessions(principal)
    elif address:
        if not chat_settings.ANONYMOUS_SESSIONS:
            raise InvalidToken("Opening a session requires an API key or a JWT.")
        per_minute, burst = chat_settings.SESSIONS_PER_MINUTE, chat_settings.SESSIONS_BURST
        yield from address_limits.throttle.steps(
            "sessions", address, per_minute=per_minute, burst=burst
        )


def create_session(
    then: Callable[[Caller], Steps[T]],
    history: History = NO_HISTORY,
    *,
    address: str,
    principal: Principal | None,
    model: str | None = None,
    system_prompt: str | None = None,
    **fields: Any,
) -> Steps[tuple[str, T]]:
    """Open a session for a client that was admitted, and use it in the same round trip.

    then: returns the store call that uses it. It gets a caller with the session's token: if the
    session belongs to someone else, the call has no access. is_listed: whether the list of the
    user's sessions has it. Other arguments as in `open_session`.

    Returns the token, and the result of the call.

    Raises:
        SessionFilesFull: the files of the history are too large.
        and as `open_session` and the call
    """
    is_anonymous = bool(address) and principal is None
    policy = policies.policy_of(principal)
    model = policies.choose_model(model, policy, is_anonymous=is_anonymous)
    addresses = stored_forms(address_limits.networks(address))
    token, new = _new_session(
        model=model,
        system_prompt=policies.choose_system_prompt(system_prompt, policy, model),
        policy=policy,
        identity=principal.identity(addresses) if principal else Identity(addresses=addresses),
        source=history.source,
        **fields,
    )
    caller = Caller(
        session_id=new.id, credential=new.token_hash, principal=principal, address=address
    )
    _, result = yield from sessions.create_and(then(caller), new, history)
    return token, result


def derive_id(principal: Principal, key: str) -> str:
    """Return the id of the session that the principal opens with this idempotency key."""
    identity = principal.identity()
    return tokens.new_session_id(_scope_key(key, identity), prefix=identity.id_prefix)


def open_with_history(
    history: History,
    *,
    name: str = "",
    system_prompt: str | None = None,
    model: str | None = None,
    ttl: int | None = None,
) -> str:
    """Open a session that begins with a history; return its token.

    Raises:
        UnknownModel, SessionFilesFull, StoreFull, StoreUnavailable
    """
    token, new = _new_session(name=name, system_prompt=system_prompt, model=model, ttl=ttl)
    sessions.create(new, history)
    return token


def _new_session(
    *,
    name: str = "",
    system_prompt: str | None = None,
    model: str | None = None,
    ttl: int | None = None,
    context: Context | None = None,
    metadata: Mapping[str, Any] | None = None,
    webhook_url: str | None = None,
    key: str = "",
    identity: Identity = PARLEY_ITSELF,
    policy: Policy = NO_POLICY,
    source: str = "",
    is_listed: bool = True,
) -> tuple[str, NewSession]:
    """Return a token and its session, with defaults for what is `None`.

    source: a session of the same user, whose partition it gets; "" for any.
    """
    stored = _stored_fields(
        {
            "name": name,
            "system_prompt": system_prompt,
            "model": llms.name_or_default(model),
            "context": asdict(context or Context()),
            "metadata": metadata or {},
            "webhook_url": delivery.validate_url(webhook_url),
        }
    )
    lifetime = ttl or chat_settings.SESSION_TTL
    own_key = _scope_key(key, identity)
    prefix = tokens.partition_prefix(source) or identity.id_prefix
    session_id = tokens.new_session_id(own_key, prefix=prefix)
    seed = digest(own_key, stored, lifetime) if key else ""
    token = tokens.new_token(session_id, seed)
    token_hash = tokens.hash_token(token)
    return token, NewSession(
        id=session_id,
        token_hash=token_hash,
        ttl=lifetime,
        identity=identity,
        policy=policy,
        is_listed=is_listed,
        **stored,
    )


def _scope_key(key: str, identity: Identity) -> str:
    """Return an idempotency key that differs from those of other users and tenants.

    It is unambiguous: only the key may contain spaces, and no party is called "anonymous".
    """
    if not key:
        return ""
    if identity.party_class is PartyClass.ANONYMOUS:
        return f"anonymous {key}"
    return f"{identity.party} {identity.user} {key}"


@store_call
def append_history(caller: Caller, history: History, *, key: str = "") -> Steps[int]:
    """Append turns to an idle session, atomically; return the number of the last reply.

    key: the client's idempotency key.

    Raises:
        as `chat.store.sessions.append_history`
    """
    own_digest = digest("append", history.turns) if key else ""
    return (
        yield from sessions.append_history.steps(
            caller, history, key=storage_key(key), digest=own_digest
        )
    )


# Reads of a session and its newest messages, and of its log.
read = snapshots.read
read_if_changed = snapshots.read_if_changed
events = sessions.events
# The rules of the operator for a session, with its model.
rules = sessions.rules


@store_call
def update(caller: Caller, changes: Mapping[str, Any]) -> Steps[Snapshot]:
    """Change name, system_prompt, model, context, metadata, webhook_url or ttl (seconds).

    Raises:
        UnknownModel, ForbiddenURL, InvalidRequest, NotAllowed: a value is not valid or not allowed;
            nothing was changed.
        SessionNotFound, SessionExpired, StoreUnavailable
    """
    fields = yield from policies.apply_to_changes(caller, changes)
    if "webhook_url" in fields:
        delivery.validate_url(fields["webhook_url"])
    event_fields = orjson.dumps(fields)
    ttl = fields.pop("ttl", None)
    yield from sessions.update.steps(caller, event_fields, _stored_fields(fields), ttl)
    return (yield from read.steps(caller))


def rotate_token(caller: Caller, *, key: str = "") -> tuple[str, float]:
    """Replace the session's token and renew its expiry; return the token and the expiry time.

    The old token stops working. key: the client's idempotency key; the same key and old token
    return the same new token.
    """
    seed = digest(key, caller.credential) if key else ""
    token = tokens.new_token(caller.session_id, seed)
    return token, sessions.rotate_token(caller, tokens.hash_token(token))


def touch(caller: Caller) -> float:
    """Count a subscriber's presence as activity; return when the session expires."""
    return sessions.touch(caller)


def reset(caller: Caller, *, key: str = "") -> Snapshot:
    """Cancel open turns and clear the history; the session keeps its token."""
    sessions.reset(caller, key=storage_key(key), digest=digest("reset"))
    return read(caller)


def delete(caller: Caller) -> None:
    """Delete the session and all its data."""
    sessions.delete(caller)


def _stored_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: orjson.dumps(value) for name, value in fields.items()}
