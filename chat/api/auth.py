"""Authentication by the Authorization header: a session's token, an API key or a JWT."""

import asyncio
from collections.abc import Mapping

from chat.accounts import bans, principals
from chat.conversation import tokens
from chat.domain import Caller, Principal
from chat.domain.errors import InvalidToken, NotFound, SessionNotFound
from chat.store.calls import Steps, store_call


def bearer_token(meta: Mapping[str, str]) -> str:
    """Return the token of the request, or "" if there is none.

    The header Parley-Token comes first: a proxy that asks for a password needs Authorization.
    """
    if token := meta.get("HTTP_PARLEY_TOKEN", ""):
        return token.strip()
    scheme, _, token = meta.get("HTTP_AUTHORIZATION", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


@store_call
def authenticate(meta: Mapping[str, str]) -> Steps[Caller | Principal]:
    """Return who sends the request: the holder of a session's token, or a principal.

    The script of the store call that follows checks access to the session
    (`chat/store/lua/lib/authorize.lua`). A wrong token is a 404, not a 401: the response is the
    same whether or not the session exists.

    Raises:
        InvalidToken: the header is missing, or names no valid credential.
        StoreUnavailable, IssuerUnavailable: an API key or JWT could not be checked.
    """
    token, user = bearer_token(meta), meta.get("HTTP_PARLEY_USER")
    return (yield from authenticate_token.steps(token, user))


@store_call
def authenticate_token(token: str, user: str | None) -> Steps[Caller | Principal]:
    """Return the holder of a bearer token; user: whom an API key acts for.

    Raises:
        InvalidToken, StoreUnavailable
    """
    if principals.is_principal_token(token):
        return (yield from principals.authenticate.steps(token, user=user))
    if user is not None:
        raise InvalidToken(principals.ONLY_KEYS_ACT_FOR_USERS)
    if not token:
        raise InvalidToken
    return tokens.caller_from_token(token)


def optional_client(meta: Mapping[str, str]) -> Caller | Principal | None:
    """Return who sends a request that requires no credential.

    Raises:
        InvalidToken: the header names no valid credential.
        StoreUnavailable
    """
    if not bearer_token(meta) and "HTTP_PARLEY_USER" not in meta:
        return None
    return authenticate(meta)


def optional_principal(meta: Mapping[str, str]) -> Principal | None:
    """Return the principal of a request that needs none; `None` also for a session's token.

    Raises:
        InvalidToken: the header names no valid credential.
        StoreUnavailable
    """
    client = optional_client(meta)
    return client if isinstance(client, Principal) else None


def authenticate_user(meta: Mapping[str, str], user: str) -> Principal:
    """Return the principal that acts for this user: the user, or an API key.

    Raises:
        InvalidToken: there is no valid API key or JWT, or the key may not act for users.
        NotFound: it is the JWT of another user.
        StoreUnavailable, IssuerUnavailable
    """
    token, named = bearer_token(meta), meta.get("HTTP_PARLEY_USER", user)
    if not principals.is_principal_token(token):
        raise InvalidToken("An API key or JWT is required.")
    if principals.is_api_key(token):
        principal = principals.authenticate(token, user=named)
    else:
        principal = principals.authenticate(token, user=meta.get("HTTP_PARLEY_USER"))
    if principal.user != user:
        raise NotFound
    return principal


def require_principal(meta: Mapping[str, str]) -> Principal:
    """Return the principal of a request that a session's token does not permit.

    Raises:
        InvalidToken: there is no valid API key or JWT.
        StoreUnavailable, IssuerUnavailable
    """
    sender = authenticate(meta)
    if isinstance(sender, Caller):
        raise InvalidToken("An API key or JWT is required.")
    return sender


def authenticate_session(meta: Mapping[str, str], session_id: str) -> Caller:
    """Return the caller of a request about this session.

    Raises:
        InvalidToken: there is no valid token.
        SessionNotFound: the token belongs to another session, whether or not this one exists.
        StoreUnavailable: an API key could not be checked.
    """
    return caller_of(authenticate(meta), session_id)


async def authenticate_on_loop(meta: Mapping[str, str]) -> Caller | Principal:
    """Do the same as `authenticate`, on an event loop."""
    if may_block(meta):
        return await asyncio.to_thread(authenticate, meta)
    return await authenticate.on_loop(meta)


def may_block(meta: Mapping[str, str]) -> bool:
    """Return whether `authenticate` may block: to fetch keys of issuers, or openers of sessions."""
    token = bearer_token(meta)
    return not principals.is_api_key(token) and (principals.may_block(token) or bans.need_openers())


def caller_of(sender: Caller | Principal, session_id: str) -> Caller:
    """Return the caller of a session, whose token must belong to it.

    Raises:
        SessionNotFound: the token belongs to another session, or none can have this id.
    """
    if isinstance(sender, Principal):
        if not tokens.SESSION_ID.fullmatch(session_id):
            raise SessionNotFound
        return Caller.from_principal(sender, session_id)
    if sender.session_id != session_id:
        raise SessionNotFound
    return sender
