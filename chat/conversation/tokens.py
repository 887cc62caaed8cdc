"""Session tokens: `<session id>.<secret>`, of which only a SHA-256 is kept."""

import base64
import hashlib
import hmac
import re
import secrets

from django.conf import settings

from chat.domain import Caller
from chat.domain.errors import InvalidToken

# 96 bits.
SESSION_ID = re.compile(r"ses_[0-9a-f]{24}")
# 256 bits of secret.
TOKEN = re.compile(rf"({SESSION_ID.pattern})\.([A-Za-z0-9_-]{{43}})")


def new_session_id(seed: str = "") -> str:
    """Return a session id: a random one, or the one that belongs to `seed`."""
    return "ses_" + (_derived("session", seed).hex() if seed else secrets.token_hex(12))[:24]


def new_token(session_id: str, seed: str = "") -> str:
    """Return a token for the session: a random one, or the one that belongs to `seed`.

    With a seed, a request repeated with its idempotency key gets the same token, though none is
    kept.
    """
    if not seed:
        return f"{session_id}.{secrets.token_urlsafe(32)}"
    secret = _derived("token", session_id + seed)
    return f"{session_id}.{_urlsafe(secret)}"


def new_ticket(seed: str = "") -> str:
    """Return a ticket: a random one, or the one that belongs to `seed`."""
    return "tkt_" + (_urlsafe(_derived("ticket", seed)) if seed else secrets.token_urlsafe(32))


def caller(token: str) -> Caller:
    """Return who holds the token; whether it is valid, the store says with the act itself.

    Raises:
        InvalidToken: no session can have this token.
    """
    found = TOKEN.fullmatch(token)
    if found is None:
        raise InvalidToken
    return Caller(session_id=found.group(1), token_hash=hash_of(token))


def hash_of(token: str) -> str:
    """Return what is kept of a token: its SHA-256, hex."""
    return hashlib.sha256(token.encode()).hexdigest()


def _derived(purpose: str, seed: str) -> bytes:
    key = hashlib.sha256(f"parley {purpose} {settings.SECRET_KEY}".encode()).digest()
    return hmac.digest(key, seed.encode(), "sha256")


def _urlsafe(secret: bytes) -> str:
    return base64.urlsafe_b64encode(secret).decode().rstrip("=")
