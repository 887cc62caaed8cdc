"""Who asks: the bearer of a session's token."""

from collections.abc import Mapping

from chat.conversation import tokens
from chat.domain import Caller
from chat.domain.errors import InvalidToken, SessionNotFound


def bearer_caller(meta: Mapping[str, str]) -> Caller:
    """Return who the Authorization header names; whether the token is good, the store says.

    Raises:
        InvalidToken: the header is missing, or holds nothing that could be a token.
    """
    scheme, _, token = meta.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() != "bearer":
        raise InvalidToken
    return tokens.caller_from_token(token.strip())


def session_caller(meta: Mapping[str, str], session_id: str) -> Caller:
    """Return the bearer, if the token is one of this session.

    Raises:
        InvalidToken: there is no token.
        SessionNotFound: it is another's; whether the session exists is not told.
    """
    return require_session(bearer_caller(meta), session_id)


def require_session(caller: Caller, session_id: str) -> Caller:
    """Return the caller, if the token is one of this session.

    Raises:
        SessionNotFound: it is another's.
    """
    if caller.session_id != session_id:
        raise SessionNotFound
    return caller
