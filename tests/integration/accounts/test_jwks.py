"""Keys of issuers: cached, rotated, and used while the issuer is down."""

import socket
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from pytest_django import Settings

from chat.accounts import jwks, jwts
from chat.accounts.jwks import KeySet
from chat.domain import Issuer
from chat.domain.errors import InvalidToken, IssuerUnavailable
from tests.harness.concurrency import run_concurrently
from tests.harness.issuer import AUDIENCE, KEYS, IssuerServer, jwk, public_pem, sign
from tests.harness.wait import wait_until
from tests.integration.providers.raw_server import RawServer, read_request


@pytest.fixture
def issuer() -> Iterator[IssuerServer]:
    with IssuerServer() as server:
        yield server


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fetch as often as the keys are asked for."""
    monkeypatch.setattr(jwks, "MIN_INTERVAL", 0.0)


def test_keys_are_fetched_once(issuer: IssuerServer) -> None:
    keys = KeySet(issuer.url)
    for algorithm in (*KEYS, *KEYS):
        assert keys.get(algorithm).algorithm == algorithm
    assert issuer.requests == 1


def test_only_a_jwt_with_an_unknown_key_may_wait_for_a_fetch(
    issuer: IssuerServer, settings: Settings
) -> None:
    settings.CHAT_ISSUERS = {
        issuer.url: Issuer(issuer=issuer.url, audience=AUDIENCE, tenant="a", jwks_url=issuer.url),
        "static": Issuer(issuer="static", audience=AUDIENCE, tenant="a", key=public_pem("ES256")),
    }
    token = sign(issuer.url)
    assert jwts.may_fetch(token)
    assert jwts.verify(token).user == "alice"
    assert not jwts.may_fetch(token)
    assert jwts.may_fetch(sign(issuer.url, kid="invented"))
    assert not any(map(jwts.may_fetch, [sign("static"), sign("unknown"), "a.b.c"]))
    assert issuer.requests == 1


@pytest.mark.usefixtures("_impatient")
def test_new_key_is_fetched_when_a_jwt_names_it(issuer: IssuerServer) -> None:
    keys = KeySet(issuer.url)
    keys.get("ES256")
    issuer.keys = [jwk("ES256", "new", ec.generate_private_key(ec.SECP256R1()))]
    assert keys.get("new").algorithm == "ES256"
    assert keys.get("").algorithm == "ES256"
    with pytest.raises(InvalidToken):
        keys.get("ES256")


@pytest.mark.security("S60")
def test_invented_key_ids_do_not_flood_the_issuer(issuer: IssuerServer) -> None:
    keys = KeySet(issuer.url)
    for number in range(100):
        with pytest.raises(InvalidToken):
            keys.get(f"invented {number}")
    assert issuer.requests == 1


@pytest.mark.usefixtures("_impatient")
def test_known_keys_work_while_the_issuer_is_down(
    issuer: IssuerServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = KeySet(issuer.url)
    keys.get("ES256")
    monkeypatch.setattr(jwks, "MAX_AGE", 0.0)
    issuer.status, issuer.delay = 503, 0.2
    before = issuer.requests
    assert keys.get("ES256").algorithm == "ES256"
    wait_until(lambda: issuer.requests > before)
    with pytest.raises(IssuerUnavailable):
        keys.get("new")


@pytest.mark.security("S60")
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b"{}"),
        (302, b""),
        (200, b"no JSON"),
        (200, b"[]"),
        (200, b'{"keys":"none"}'),
        (200, b" " * (jwks.MAX_BYTES + 1)),
    ],
)
def test_unusable_answer_of_the_issuer_is_no_key(
    issuer: IssuerServer, status: int, body: bytes
) -> None:
    issuer.status, issuer.body = status, body
    with pytest.raises(IssuerUnavailable):
        KeySet(issuer.url).get("ES256")


def test_slow_issuer_holds_one_thread(
    issuer: IssuerServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks, "MAX_WAIT", 0.05)
    issuer.delay = 0.5
    keys = KeySet(issuer.url)

    def get() -> str:
        try:
            return keys.get("ES256").algorithm
        except IssuerUnavailable:
            return "503"

    results = run_concurrently([get] * 4)
    assert sorted(results) == ["503", "503", "503", "ES256"]
    assert issuer.requests == 1


def test_issuer_that_sends_byte_by_byte_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jwks, "FETCH_TIMEOUT", 0.3)

    def drip(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n{")
        with suppress(OSError):
            while True:
                connection.sendall(b" ")
                time.sleep(0.02)

    with RawServer(drip) as slow:
        with pytest.raises(IssuerUnavailable):
            KeySet(slow.url).get("ES256")
        assert slow.client_disconnected()


def test_unusable_keys_are_left_out(issuer: IssuerServer) -> None:
    curve = ec.generate_private_key(ec.SECP384R1())
    issuer.keys = [
        {**jwk("ES256", "encryption"), "use": "enc"},
        {**jwk("ES256", "other algorithm"), "alg": "ES384"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "secret"},
        {"kty": "EC", "kid": "broken"},
        {"kty": "oct", "kid": "broken"},
        {"kty": "RSA", "alg": "none", "kid": "broken"},
        jwk("ES256", "P-384", curve),
        jwk("ES256", "usable"),
    ]
    keys = KeySet(issuer.url)
    assert keys.get("usable").algorithm == "ES256"
    for kid in ("encryption", "other algorithm", "secret", "broken", "P-384"):
        with pytest.raises(InvalidToken):
            keys.get(kid)
