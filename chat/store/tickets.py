"""Tickets: each stands for its session's token, once, and only for a moment."""

from chat.domain import Caller
from chat.domain.errors import InvalidToken, SessionExpired, SessionNotFound
from chat.store.scripts import execute

MAX_TICKETS = 20
"""Tickets of a session that are kept; asking for another makes the oldest worthless."""

INVALID_TICKET = "The ticket is unknown, spent or too old."


def issue_ticket(caller: Caller, ticket_hash: str, *, ttl: float) -> None:
    """Note a ticket that is good for `ttl` seconds.

    Raises:
        SessionNotFound, SessionExpired, StoreUnavailable
    """
    arguments = (caller.token_hash, ticket_hash, round(ttl * 1000), MAX_TICKETS)
    execute("issue_ticket", caller.session_id, *arguments)


def redeem_ticket(session_id: str, ticket_hash: str, *, nonce: str) -> Caller:
    """Return whom the ticket stands for, once.

    nonce: made once per try, so that the same try again gets the same answer.

    Raises:
        InvalidToken: the ticket is worth nothing, or the session is gone; which, is not told.
        StoreUnavailable
    """
    try:
        word, *rest = execute("redeem_ticket", session_id, ticket_hash, nonce)
    except (SessionNotFound, SessionExpired) as error:
        raise InvalidToken(INVALID_TICKET) from error
    if word != b"REDEEMED":
        raise InvalidToken(INVALID_TICKET)
    return Caller(session_id=session_id, token_hash=rest[0].decode())
