"""Tickets: short-lived credentials that replace a caller's credential once."""

from dataclasses import asdict

import orjson

from chat.domain import Caller, Principal
from chat.domain.errors import InvalidToken, SessionExpired, SessionNotFound
from chat.store.calls import execute
from chat.store.rate_limit import change_rate
from chat.store.scripts import milliseconds, script_call

# Maximum tickets of a session. A new ticket replaces the oldest.
MAX_TICKETS = 20

# Stands for the principal of a session's token.
NO_PRINCIPAL = "-"
INVALID_TICKET = "The ticket is unknown, redeemed or expired."


def issue_ticket(caller: Caller, ticket_hash: str, *, ttl: float) -> None:
    """Store a ticket that is valid for `ttl` seconds.

    Raises:
        RateLimited: too many changes.
        StoreFull, SessionNotFound, SessionExpired, StoreUnavailable
    """
    call = script_call(
        "issue_ticket",
        caller.session_id,
        caller.credential,
        ticket_hash,
        milliseconds(ttl),
        MAX_TICKETS,
        *change_rate(caller),
        _dump_principal(caller.principal),
    )
    execute(call)


def redeem_ticket(session_id: str, ticket_hash: str, *, nonce: str, ttl: float) -> Caller:
    """Return the caller that the ticket represents; a ticket can be redeemed once.

    nonce: random, so that the same call can be sent again; ttl: as in `issue_ticket`.

    Raises:
        InvalidToken: the ticket is invalid or the session is gone; the error does not say which.
        StoreUnavailable
    """
    try:
        args = (ticket_hash, nonce, milliseconds(ttl))
        status, *rest = execute(script_call("redeem_ticket", session_id, *args))
    except (SessionNotFound, SessionExpired) as error:
        raise InvalidToken(INVALID_TICKET) from error
    if status != b"REDEEMED":
        raise InvalidToken(INVALID_TICKET)
    credential, principal = (each.decode() for each in rest)
    return Caller(
        session_id=session_id, credential=credential, principal=_parse_principal(principal)
    )


def _dump_principal(principal: Principal | None) -> str:
    if principal is None:
        return NO_PRINCIPAL
    fields = asdict(principal)
    del fields["policy"]  # for opening sessions only
    return orjson.dumps(fields).decode()


def _parse_principal(stored: str) -> Principal | None:
    return None if stored == NO_PRINCIPAL else Principal(**orjson.loads(stored))
