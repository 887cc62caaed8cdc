"""Calls to URLs of clients, with allowed and forbidden servers.

127.0.0.2 plays a public address, because the settings allow it. 127.0.0.1 is private.
"""

import socket
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from pytest_django import Settings

from chat.domain.errors import ForbiddenURL
from chat.http import ssrf
from tests.integration.providers.raw_server import (
    CA,
    RawServer,
    json_response,
    read_request,
    respond,
)

pytestmark = pytest.mark.security("S31")

HELLO = respond(json_response(b'"hello"'))


class StubResolver:
    """A resolver that returns one result after another, and repeats the last one."""

    def __init__(self, *results: tuple[str, ...]) -> None:
        self.results = list(results)
        self.hosts: list[str] = []

    def __call__(self, host: str, port: int) -> list[Any]:
        self.hosts.append(host)
        addresses = self.results.pop(0) if len(self.results) > 1 else self.results[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (each, port)) for each in addresses]


@pytest.fixture(autouse=True)
def allow_public_network(settings: Settings) -> None:
    settings.CHAT_WEBHOOK_ALLOWED_NETWORKS = "127.0.0.2/32"


@pytest.fixture
def server() -> Iterator[RawServer]:
    with RawServer(HELLO, host="127.0.0.2") as running:
        yield running


def post(url: str, names: StubResolver, **options: Any) -> requests.Response:
    with ssrf.session(deadline=30, resolve=names) as session:
        return session.post(url, data=b"{}", timeout=5, **options)


def test_public_server_is_resolved_and_connected_to_once() -> None:
    requests_: list[bytes] = []

    def handle(connection: socket.socket) -> None:
        while request := read_request(connection):
            requests_.append(request)
            connection.sendall(json_response(b'"hello"'))

    with RawServer(handle, host="127.0.0.2") as server:
        call_three_times(server)
    assert all(b"\r\nhost: hook.test:%d\r\n" % server.port in each.lower() for each in requests_)


def call_three_times(server: RawServer) -> None:
    names = StubResolver(("127.0.0.2",))
    with ssrf.session(deadline=30, resolve=names) as session:
        for _ in range(3):
            answer = session.post(f"http://hook.test:{server.port}/", data=b"{}", timeout=5)
            assert answer.json() == "hello"
    assert names.hosts == ["hook.test"]
    assert server.connections == 1


@pytest.mark.parametrize(
    "addresses", [("127.0.0.1",), ("169.254.169.254",), ("127.0.0.2", "127.0.0.1"), ("10.0.0.1",)]
)
def test_name_with_a_private_address_is_not_called(addresses: tuple[str, ...]) -> None:
    with RawServer(HELLO) as private, pytest.raises(ForbiddenURL):
        post(f"http://hook.test:{private.port}/", StubResolver(addresses))
    assert private.connections == 0


def test_localhost_is_not_called() -> None:
    with (
        RawServer(HELLO) as private,
        ssrf.session(deadline=30) as session,
        pytest.raises(ForbiddenURL),
    ):
        session.get(f"http://localhost:{private.port}/", timeout=5)
    assert private.connections == 0


def test_dns_rebinding_does_not_change_the_checked_address(server: RawServer) -> None:
    names = StubResolver(("127.0.0.2",), ("127.0.0.1",))
    url = f"http://hook.test:{server.port}/"
    assert post(url, names).ok
    assert names.hosts == ["hook.test"]
    with pytest.raises(ForbiddenURL):
        post(url, names)
    assert server.connections == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_not_followed(status: int) -> None:
    with RawServer(HELLO) as private:
        redirect = f"HTTP/1.1 {status} X\r\nLocation: {private.url}\r\nContent-Length: 0\r\n\r\n"
        with (
            RawServer(respond(redirect.encode()), host="127.0.0.2") as server,
            pytest.raises(ForbiddenURL, match="redirect"),
        ):
            post(f"http://hook.test:{server.port}/", StubResolver(("127.0.0.2",)))
    assert private.connections == 0


def test_proxy_of_the_environment_is_not_used(
    server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RawServer(HELLO) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        assert post(f"http://hook.test:{server.port}/", StubResolver(("127.0.0.2",))).ok
        assert post(
            f"http://hook.test:{server.port}/",
            StubResolver(("127.0.0.2",)),
            proxies={"http": proxy.url},
        ).ok
    assert proxy.connections == 0


def test_certificate_is_verified_against_the_name() -> None:
    with RawServer(HELLO, certificate="good", host="127.0.0.2") as server:
        names = StubResolver(("127.0.0.2",))
        assert post(f"https://localhost:{server.port}/", names, verify=CA).ok
        with pytest.raises(requests.exceptions.SSLError):
            post(f"https://hook.test:{server.port}/", names, verify=CA)
        with pytest.raises(requests.exceptions.SSLError):
            post(f"https://localhost:{server.port}/", names)


def test_next_address_is_tried_after_a_refusal(settings: Settings, server: RawServer) -> None:
    settings.CHAT_WEBHOOK_ALLOWED_NETWORKS = "127.0.0.2/31"
    url = f"http://hook.test:{server.port}/"
    assert post(url, StubResolver(("127.0.0.3", "127.0.0.2"))).ok
    with pytest.raises(requests.ConnectionError):
        post(url, StubResolver(("127.0.0.3",)))


def test_unknown_name_is_a_connection_error() -> None:
    def unknown(host: str, port: int) -> list[Any]:
        raise socket.gaierror(socket.EAI_NONAME, f"{host}:{port}")

    with (
        ssrf.session(deadline=30, resolve=unknown) as session,
        pytest.raises(requests.ConnectionError),
    ):
        session.get("http://hook.test/", timeout=5)


def test_request_without_body_is_sent(server: RawServer) -> None:
    with ssrf.session(deadline=30, resolve=StubResolver(("127.0.0.2",))) as session:
        assert session.get(f"http://hook.test:{server.port}/", timeout=5).json() == "hello"


def test_deadline_ends_a_call_to_a_silent_server() -> None:
    with (
        RawServer(lambda _: None, host="127.0.0.2") as silent,
        pytest.raises(TimeoutError),
        ssrf.session(deadline=0.2, resolve=StubResolver(("127.0.0.2",))) as session,
    ):
        session.get(f"http://hook.test:{silent.port}/", timeout=60)
