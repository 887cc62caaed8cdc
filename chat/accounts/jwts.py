"""JWTs of the configured issuers: they name a user of the issuer's tenant."""

import re
import time
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from functools import cache
from typing import Any

import jwt
import orjson
from django.conf import settings

from chat.accounts import jwks, public_keys
from chat.accounts.public_keys import PublicKey
from chat.domain import Issuer, Principal
from chat.domain.errors import ConfigError, InvalidToken

FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
# Characters. Larger ones fit into no header anyway.
MAX_CHARS = 8192
# Seconds that a JWT may be valid from now on.
MAX_VALIDITY = 86400
# Seconds by which the clocks of issuers may differ from this one.
LEEWAY = 10
REQUIRED_CLAIMS = ["iss", "aud", "exp", "sub"]
# `sub`: printable ASCII without spaces; OpenID Connect limits it to 255 characters.
USER = re.compile(r"[!-~]{1,255}")


def check() -> None:
    """Parse the keys of the settings.

    Raises:
        ConfigError: a key is not valid; the message names its issuer.
    """
    for issuer in _issuers().values():
        if issuer.key:
            _static_key(issuer)


def has_form(token: str) -> bool:
    """Return whether the token consists of three parts, as a JWT does."""
    return len(token) <= MAX_CHARS and FORM.fullmatch(token) is not None


def may_fetch(token: str) -> bool:
    """Return whether `verify` may have to fetch the keys of the token's issuer."""
    try:
        issuer, kid = _signer(token)
    except InvalidToken:
        return False
    return not issuer.key and not jwks.key_set(issuer.jwks_url).has(kid)


def verify(token: str) -> Principal:
    """Return the user that the JWT names.

    Raises:
        InvalidToken: its issuer, key, signature, audience, time or subject is not valid.
        IssuerUnavailable: the keys of its issuer could not be fetched.
    """
    issuer, kid = _signer(token)
    claims = _verify(token, _key(issuer, kid), issuer)
    return Principal(tenant=issuer.tenant, user=_user(claims), valid_until=_expiry(claims))


def _signer(token: str) -> tuple[Issuer, str]:
    """Return the issuer that the token names, and the id of its key."""
    header, unverified = (_decode(part) for part in token.split(".")[:2])
    issuer = _issuers().get(str(unverified.get("iss")))
    if issuer is None:
        raise InvalidToken("The JWT's issuer is unknown.")
    kid = header.get("kid", "")
    return issuer, kid if isinstance(kid, str) else ""


def _issuers() -> Mapping[str, Issuer]:
    issuers: Mapping[str, Issuer] = getattr(settings, "CHAT_ISSUERS", {})
    return issuers


def _decode(part: str) -> dict[str, Any]:
    try:
        decoded = orjson.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except ValueError as error:
        raise InvalidToken("The JWT is malformed.") from error
    if not isinstance(decoded, dict):
        raise InvalidToken("The JWT is malformed.")
    return decoded


def _key(issuer: Issuer, kid: str) -> PublicKey:
    return _static_key(issuer) if issuer.key else jwks.key_set(issuer.jwks_url).get(kid)


@cache
def _static_key(issuer: Issuer) -> PublicKey:
    try:
        return public_keys.parse_pem(issuer.key)
    except ValueError as error:
        raise ConfigError(f"CHAT_AUTH_FILE: key of {issuer.issuer}: {error}") from error


def _verify(token: str, key: PublicKey, issuer: Issuer) -> dict[str, Any]:
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key.key,
            algorithms=[key.algorithm],
            audience=issuer.audience,
            issuer=issuer.issuer,
            leeway=LEEWAY,
            options={"require": REQUIRED_CLAIMS},
        )
    except jwt.PyJWTError as error:
        raise InvalidToken(f"The JWT is not valid: {error}.") from error
    except (RecursionError, OverflowError) as error:
        raise InvalidToken("The JWT is malformed.") from error
    return claims


def _user(claims: Mapping[str, Any]) -> str:
    user = claims["sub"]
    if not isinstance(user, str) or not USER.fullmatch(user):
        raise InvalidToken("`sub` of the JWT must be 1 to 255 printable characters, no spaces.")
    return user


def _expiry(claims: Mapping[str, Any]) -> float:
    expires_at = float(claims["exp"])
    if expires_at > time.time() + MAX_VALIDITY + LEEWAY:
        raise InvalidToken("The JWT is valid for more than 24 hours.")
    return expires_at + LEEWAY
