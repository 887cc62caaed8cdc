"""JWTs: which are accepted, and what they say."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pytest_django import Settings

from chat.accounts import jwts
from chat.domain import Issuer
from chat.domain.errors import ConfigError, InvalidToken
from tests.harness.issuer import KEYS, public_pem, sign

OWN = "https://own.example"
OTHER = "https://other.example"


@pytest.fixture(autouse=True)
def _issuers(settings: Settings) -> None:
    settings.CHAT_ISSUERS = {
        **{
            f"{OWN}/{algorithm}": Issuer(
                issuer=f"{OWN}/{algorithm}",
                audience="parley",
                tenant="acme",
                key=public_pem(algorithm),
            )
            for algorithm in KEYS
        },
        OTHER: Issuer(issuer=OTHER, audience="parley", tenant="other", key=public_pem("RS256")),
    }


def own(user: object = "alice", **arguments: Any) -> str:
    return sign(f"{OWN}/ES256", user, **arguments)


def encode(part: object) -> str:
    text = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def unsigned(**header: object) -> str:
    payload = {"iss": f"{OWN}/ES256", "aud": "parley", "sub": "alice", "exp": time.time() + 60}
    return f"{encode(header)}.{encode(payload)}."


@pytest.mark.parametrize("algorithm", KEYS)
def test_user_of_the_issuers_tenant(algorithm: str) -> None:
    token = sign(f"{OWN}/{algorithm}", "auth0|alice@example.org", algorithm=algorithm)
    assert jwts.has_form(token)
    principal = jwts.verify(token)
    assert (principal.tenant, principal.user) == ("acme", "auth0|alice@example.org")
    assert principal.api_key == ""
    assert 0 < principal.valid_until - time.time() <= 300 + jwts.LEEWAY


def forged() -> dict[str, str]:
    now = time.time()
    return {
        "no signature": unsigned(alg="none"),
        "no signature, other case": unsigned(alg="NoNe", typ="JWT"),
        "no algorithm": unsigned(),
        "signature of another key": own(key=ec.generate_private_key(ec.SECP256R1())),
        "key of another issuer": sign(OTHER, key=KEYS["ES256"], algorithm="ES256"),
        "another issuer's name": sign(f"{OWN}/ES256", algorithm="RS256"),
        "unknown issuer": sign("https://evil.example"),
        "no issuer": own(without="iss"),
        "other audience": own(aud="another service"),
        "no audience": own(without="aud"),
        "expired": own(exp=now - 60),
        "no expiry": own(without="exp"),
        "valid for more than a day": own(exp=now + 2 * 86400),
        "valid forever": own(exp=1e300),
        "expiry is no number": own(exp="tomorrow"),
        "not valid yet": own(nbf=now + 3600),
        "issued in the future": own(iat=now + 3600),
        "no user": own(without="sub"),
        "empty user": own(""),
        "user with a space": own("alice smith"),
        "user is too long": own("a" * 256),
        "user is a number": own(7),
        "critical extension": own(headers={"crit": ["exotic"], "exotic": 1}),
        "deeply nested": f"{encode(b'[' * 3000)}.{encode(b'[' * 2000)}.x",
        "not JSON": f"{encode(b'a')}.{encode(b'b')}.x",
        "no object": f"{encode([])}.{encode([])}.x",
    }


@pytest.mark.security("S60")
@pytest.mark.parametrize("name", forged())
def test_forged_or_invalid_jwt_is_rejected(name: str) -> None:
    with pytest.raises(InvalidToken):
        jwts.verify(forged()[name])


@pytest.mark.security("S60")
def test_public_key_is_no_secret_of_an_hmac() -> None:
    """PyJWT would not sign this; an attacker does."""
    for algorithm in KEYS:
        payload = {"iss": f"{OWN}/{algorithm}", "aud": "parley", "sub": "a", "exp": time.time() + 9}
        signed = f"{encode({'alg': 'HS256', 'typ': 'JWT'})}.{encode(payload)}"
        digest = hmac.digest(public_pem(algorithm).encode(), signed.encode(), hashlib.sha256)
        with pytest.raises(InvalidToken):
            jwts.verify(f"{signed}.{encode(digest)}")


@pytest.mark.parametrize("token", ["a.b", "a.b.c.d", "ses_1.x", "a.b.=", "a..c", "x" * 9000, ""])
def test_text_of_another_form_is_no_jwt(token: str) -> None:
    assert not jwts.has_form(token)


@pytest.mark.parametrize("key", ["no PEM", public_pem("ES256")[:-40]])
def test_invalid_key_is_reported_at_start(settings: Settings, key: str) -> None:
    issuer = Issuer(issuer=OWN, audience="parley", tenant="acme", key=key)
    settings.CHAT_ISSUERS = {OWN: issuer}
    with pytest.raises(ConfigError, match=r"^CHAT_AUTH_FILE: key of https://own\.example: "):
        jwts.check()


def test_short_rsa_key_is_refused(settings: Settings) -> None:
    public = rsa.generate_private_key(65537, 1024).public_key()  # noqa: S505
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    settings.CHAT_ISSUERS = {OWN: Issuer(issuer=OWN, audience="a", tenant="t", key=pem)}
    with pytest.raises(ConfigError, match="at least 2048 bits"):
        jwts.check()
