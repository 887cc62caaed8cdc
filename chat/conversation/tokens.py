"""Session tokens, `<session id>.<secret>`. Only their SHA-256 is stored."""

import base64
import hashlib
import hmac
import re
import secrets

from django.conf import settings

from chat.accounts import bans
from chat.domain import Caller
from chat.domain.errors import InvalidToken
from chat.domain.identity import PARTITION_DIGITS

ID_PREFIX = "ses_"
# 96 random bits.
SESSION_ID = re.compile(rf"{ID_PREFIX}[0-9a-f]{{24}}")
# The secret has 256 bits.
TOKEN = re.compile(rf"({SESSION_ID.pattern})\.([A-Za-z0-9_-]{{43}})")


def new_session_id(seed: str = "", *, prefix: str = "") -> str:
    """Return a random session id, or the one derived from `seed`.

    prefix: its first hex digits, which decide the partition; "" for random ones.
    """
    digits = _derive("session", seed).hex() if seed else secrets.token_hex(12)
    return ID_PREFIX + (prefix + digits)[:24]


def partition_prefix(session_id: str) -> str:
    """Return the hex digits of a session's id that decide its partition."""
    return session_id.removeprefix(ID_PREFIX)[:PARTITION_DIGITS]


def new_token(session_id: str, seed: str = "") -> str:
    """Return a random token for the session, or the one derived from `seed`.

    A seed lets a request that is repeated with its idempotency key get the same token, although
    tokens are not stored.
    """
    if not seed:
        return f"{session_id}.{secrets.token_urlsafe(32)}"
    secret = _derive("token", session_id + seed)
    return f"{session_id}.{_urlsafe(secret)}"


def new_ticket(seed: str = "") -> str:
    """Return a random ticket, or the one derived from `seed`."""
    return "tkt_" + (_urlsafe(_derive("ticket", seed)) if seed else secrets.token_urlsafe(32))


def caller_from_token(token: str) -> Caller:
    """Return the token's holder, without checking the secret.

    The script of each store call checks it (`chat/store/lua/lib/authorize.lua`). A wrong secret is
    a `SessionNotFound`, the same 404 as an unknown session: no client learns which sessions exist.

    While a key or user is banned, a new token takes a round trip (`bans.need_openers`).

    Raises:
        InvalidToken: the token is malformed.
        Banned: the key or user that has opened the session is banned.
        StoreUnavailable
    """
    caller = new_caller(token)
    return bans.check_caller(caller) if bans.need_openers() else caller


def new_caller(token: str) -> Caller:
    """Return the holder of a token that was just made, without any check.

    Raises:
        InvalidToken: the token is malformed.
    """
    match = TOKEN.fullmatch(token)
    if match is None:
        raise InvalidToken
    return Caller(session_id=match.group(1), credential=hash_token(token))


def hash_token(token: str) -> str:
    """Return the SHA-256 of a token, as hex."""
    return hashlib.sha256(token.encode()).hexdigest()


def _derive(purpose: str, seed: str) -> bytes:
    key = hashlib.sha256(f"parley {purpose} {settings.SECRET_KEY}".encode()).digest()
    return hmac.digest(key, seed.encode(), "sha256")


def _urlsafe(secret: bytes) -> str:
    return base64.urlsafe_b64encode(secret).decode().rstrip("=")
