"""Tickets: single-use credentials for URLs, where tokens could leak."""

import re
import secrets

from chat.accounts import bans
from chat.conversation import tokens
from chat.conversation.idempotency import digest
from chat.domain import Caller
from chat.domain.errors import InvalidToken
from chat.settings import chat_settings
from chat.store import tickets

# 256 random bits.
TICKET = re.compile(r"tkt_[A-Za-z0-9_-]{43}")


def issue(caller: Caller, *, key: str = "") -> str:
    """Return a ticket that opens one WebSocket or event stream within `TICKET_TTL` seconds.

    key: the client's idempotency key; the same key and token return the same ticket.

    Raises:
        SessionNotFound, SessionExpired, StoreFull, StoreUnavailable
    """
    ticket = tokens.new_ticket(digest(key, caller.credential) if key else "")
    tickets.issue_ticket(caller, tokens.hash_token(ticket), ttl=chat_settings.TICKET_TTL)
    return ticket


def redeem(session_id: str, ticket: str) -> Caller:
    """Return the ticket's holder. The ticket cannot be used again.

    Raises:
        InvalidToken: the ticket is unknown, used or expired.
        Banned: its key or user is banned.
        StoreUnavailable
    """
    if not TICKET.fullmatch(ticket) or not tokens.SESSION_ID.fullmatch(session_id):
        raise InvalidToken(tickets.INVALID_TICKET)
    return bans.check_caller(
        tickets.redeem_ticket(
            session_id,
            tokens.hash_token(ticket),
            nonce=secrets.token_hex(8),
            ttl=chat_settings.TICKET_TTL,
        )
    )
