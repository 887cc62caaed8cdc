"""Authentication by a session's token in the Authorization header."""

from collections.abc import Mapping

from chat.conversation import tokens
from chat.domain import Caller
from chat.domain.errors import InvalidToken, SessionNotFound


def bearer_token(meta: Mapping[str, str]) -> str:
    """Return the token of the Authorization header, or "" if there is none."""
    scheme, _, token = meta.get("HTTP_AUTHORIZATION", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def authenticate(meta: Mapping[str, str]) -> Caller:
    """Return the caller that the Authorization header names.

    The script of the store call that follows checks the token (`chat/store/lua/lib/authorize.lua`).
    A wrong one is a 404, not a 401: the response is the same whether or not the session exists.

    Raises:
        InvalidToken: the header is missing or does not contain a well-formed token.
    """
    token = bearer_token(meta)
    if not token:
        raise InvalidToken
    return tokens.caller_from_token(token)


def authenticate_session(meta: Mapping[str, str], session_id: str) -> Caller:
    """Return the caller, whose token must belong to this session.

    Raises:
        InvalidToken: there is no well-formed token.
        SessionNotFound: the token belongs to another session, whether or not this one exists.
    """
    return require_session(authenticate(meta), session_id)


def require_session(caller: Caller, session_id: str) -> Caller:
    """Return the caller, whose token must belong to this session.

    Raises:
        SessionNotFound: it belongs to another one.
    """
    if caller.session_id != session_id:
        raise SessionNotFound
    return caller
