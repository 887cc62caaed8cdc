"""Tickets: short-lived credentials that replace a session's token once."""

from chat.domain import Caller
from chat.domain.errors import InvalidToken, SessionExpired, SessionNotFound
from chat.store.rate_limit import change_rate
from chat.store.scripts import execute, milliseconds

# Maximum tickets of a session. A new ticket replaces the oldest.
MAX_TICKETS = 20

INVALID_TICKET = "The ticket is unknown, redeemed or expired."


def issue_ticket(caller: Caller, ticket_hash: str, *, ttl: float) -> None:
    """Store a ticket that is valid for `ttl` seconds.

    Raises:
        RateLimited: too many changes.
        StoreFull, SessionNotFound, SessionExpired, StoreUnavailable
    """
    args = (caller.token_hash, ticket_hash, milliseconds(ttl), MAX_TICKETS, *change_rate(caller))
    execute("issue_ticket", caller.session_id, *args)


def redeem_ticket(session_id: str, ticket_hash: str, *, nonce: str, ttl: float) -> Caller:
    """Return the caller that the ticket represents; a ticket can be redeemed once.

    nonce: random, so that the same call can be sent again; ttl: as in `issue_ticket`.

    Raises:
        InvalidToken: the ticket is invalid or the session is gone; the error does not say which.
        StoreUnavailable
    """
    try:
        args = (ticket_hash, nonce, milliseconds(ttl))
        status, *rest = execute("redeem_ticket", session_id, *args)
    except (SessionNotFound, SessionExpired) as error:
        raise InvalidToken(INVALID_TICKET) from error
    if status != b"REDEEMED":
        raise InvalidToken(INVALID_TICKET)
    return Caller(session_id=session_id, token_hash=rest[0].decode())
