"""Calls to URLs of clients, with allowed and forbidden servers.

127.0.0.2 plays a public address, because the settings allow it. 127.0.0.1 is private.
"""

import socket
import ssl
from base64 import b64encode
from collections.abc import Iterator

import pytest
from pytest_django import Settings

from chat.domain.errors import ForbiddenURL
from chat.http.errors import Disconnected
from chat.http.loop_connection import AddressInfo
from chat.http.tls import create_context
from tests.integration.http.guarded_calls import StubResolver, call
from tests.integration.providers.raw_server import (
    CA,
    RawServer,
    json_response,
    read_request,
    respond,
)

pytestmark = pytest.mark.security("S31")

HELLO = respond(json_response(b'"hello"'))


@pytest.fixture(autouse=True)
def allow_public_network(settings: Settings) -> None:
    settings.CHAT_WEBHOOK_ALLOWED_NETWORKS = "127.0.0.2/32"


@pytest.fixture
def server() -> Iterator[RawServer]:
    with RawServer(HELLO, host="127.0.0.2") as running:
        yield running


class Recorder:
    """Answers requests and records them."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []

    def __call__(self, connection: socket.socket) -> None:
        while request := read_request(connection):
            self.requests.append(request)
            connection.sendall(json_response(b'"hello"'))


def test_public_server_is_resolved_and_connected_to_once() -> None:
    names, received = StubResolver(("127.0.0.2",)), Recorder()
    with RawServer(received, host="127.0.0.2") as server:
        assert call(f"http://hook.test:{server.port}/a?b=c", resolve=names).body == b'"hello"'
    assert (names.hosts, server.connections) == (["hook.test"], 1)
    (request,) = received.requests
    assert request.startswith(b"POST /a?b=c HTTP/1.1\r\nHost: hook.test:%d\r\n" % server.port)
    assert b"\r\nConnection: close\r\n" in request
    assert request.endswith(b"\r\nContent-Length: 2\r\n\r\n{}")


@pytest.mark.parametrize(
    "addresses", [("127.0.0.1",), ("169.254.169.254",), ("127.0.0.2", "127.0.0.1"), ("10.0.0.1",)]
)
def test_name_with_a_private_address_is_not_called(addresses: tuple[str, ...]) -> None:
    with RawServer(HELLO) as private, pytest.raises(ForbiddenURL):
        call(f"http://hook.test:{private.port}/", resolve=StubResolver(addresses))
    assert private.connections == 0


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "user@127.0.0.2"])
def test_private_host_is_not_called(host: str) -> None:
    with RawServer(HELLO) as private, pytest.raises(ForbiddenURL):
        call(f"http://{host}:{private.port}/")
    assert private.connections == 0


def test_dns_rebinding_does_not_change_the_checked_address(server: RawServer) -> None:
    names = StubResolver(("127.0.0.2",), ("127.0.0.1",))
    url = f"http://hook.test:{server.port}/"
    assert call(url, resolve=names).status == 200
    assert names.hosts == ["hook.test"]
    with pytest.raises(ForbiddenURL):
        call(url, resolve=names)
    assert server.connections == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_not_followed(status: int) -> None:
    with RawServer(HELLO) as private:
        redirect = f"HTTP/1.1 {status} X\r\nLocation: {private.url}\r\nContent-Length: 0\r\n\r\n"
        with (
            RawServer(respond(redirect.encode()), host="127.0.0.2") as server,
            pytest.raises(ForbiddenURL, match="redirect"),
        ):
            call(f"http://hook.test:{server.port}/", resolve=StubResolver(("127.0.0.2",)))
    assert private.connections == 0


def test_proxy_of_the_environment_is_not_used(
    server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RawServer(HELLO) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        names = StubResolver(("127.0.0.2",))
        assert call(f"http://hook.test:{server.port}/", resolve=names).status == 200
    assert proxy.connections == 0


def test_certificate_is_verified_against_the_name() -> None:
    with RawServer(HELLO, certificate="good", host="127.0.0.2") as server:
        names, trusted = StubResolver(("127.0.0.2",)), create_context(CA)
        assert call(f"https://localhost:{server.port}/", resolve=names, tls=trusted).status == 200
        with pytest.raises(ssl.SSLCertVerificationError):
            call(f"https://hook.test:{server.port}/", resolve=names, tls=trusted)
        with pytest.raises(ssl.SSLCertVerificationError):
            call(f"https://localhost:{server.port}/", resolve=names)


def test_next_address_is_tried_after_a_refusal(settings: Settings, server: RawServer) -> None:
    settings.CHAT_WEBHOOK_ALLOWED_NETWORKS = "127.0.0.2/31"
    url = f"http://hook.test:{server.port}/"
    assert call(url, resolve=StubResolver(("127.0.0.3", "127.0.0.2"))).status == 200
    with pytest.raises(ConnectionRefusedError):
        call(url, resolve=StubResolver(("127.0.0.3",)))


def test_unknown_name_is_an_error_of_the_connection() -> None:
    async def unknown(host: str, port: int) -> list[AddressInfo]:
        raise socket.gaierror(socket.EAI_NONAME, f"{host}:{port}")

    with pytest.raises(socket.gaierror):
        call("http://hook.test/", resolve=unknown)


def test_request_without_body_is_sent() -> None:
    received = Recorder()
    with RawServer(received, host="127.0.0.2") as server:
        assert call(server.url, method="GET", body=None).body == b'"hello"'
    assert received.requests[0].startswith(b"GET / HTTP/1.1\r\n")
    assert b"content-length" not in received.requests[0].lower()


def test_user_and_password_of_a_trusted_url_are_sent() -> None:
    received = Recorder()
    with RawServer(received) as server:
        url = f"http://me%40here:secret@127.0.0.1:{server.port}/"
        assert call(url, is_trusted=True).status == 200
        with pytest.raises(ForbiddenURL):
            call(url)
    expected = b64encode(b"me@here:secret")
    assert b"\r\nAuthorization: Basic %b\r\n" % expected in received.requests[0]
    assert b"secret" not in received.requests[0]


def test_deadline_ends_a_call_to_a_silent_server() -> None:
    with RawServer(lambda _: None, host="127.0.0.2") as silent:
        with pytest.raises(TimeoutError):
            call(silent.url, deadline=0.2)
        assert silent.client_disconnected()


def test_deadline_covers_the_body() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"
    with RawServer(respond(head), host="127.0.0.2") as slow, pytest.raises(TimeoutError):
        call(slow.url, deadline=0.2)
    with (
        RawServer(respond(head, closes=True), host="127.0.0.2") as cut,
        pytest.raises(Disconnected),
    ):
        call(cut.url)
