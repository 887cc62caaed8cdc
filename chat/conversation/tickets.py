"""Tickets: what stands for a token in a URL, where a token itself should not be seen."""

import re
import secrets

from chat.conversation import tokens
from chat.conversation.sessions import digest
from chat.domain import Caller
from chat.domain.errors import InvalidToken
from chat.settings import chat_settings
from chat.store import tickets

# 256 bits.
TICKET = re.compile(r"tkt_[A-Za-z0-9_-]{43}")


def issue(caller: Caller, *, key: str = "") -> str:
    """Return a ticket that opens one socket or event stream within `TICKET_TTL` seconds, once.

    key: the client's idempotency key; the same key and token give the same ticket again.

    Raises:
        SessionNotFound, SessionExpired, StoreFull, StoreUnavailable
    """
    ticket = tokens.new_ticket(digest(key, caller.token_hash) if key else "")
    tickets.issue_ticket(caller, tokens.hash_of(ticket), ttl=chat_settings.TICKET_TTL)
    return ticket


def spend(session_id: str, ticket: str) -> Caller:
    """Return whom the ticket stands for; it is worth nothing afterwards.

    Raises:
        InvalidToken: it is worth nothing already, or never was.
        StoreUnavailable
    """
    if not TICKET.fullmatch(ticket) or not tokens.SESSION_ID.fullmatch(session_id):
        raise InvalidToken(tickets.INVALID_TICKET)
    return tickets.redeem_ticket(session_id, tokens.hash_of(ticket), nonce=secrets.token_hex(8))
