"""Calls to URLs from outside, with servers that they may and may not reach.

127.0.0.2 plays the world: the settings allow it. 127.0.0.1 stays what it is.
"""

import socket
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from pytest_django import Settings

from chat.domain.errors import ForbiddenURL
from chat.http import ssrf
from tests.integration.providers.servers import CA, Server, answers, document, read_request

pytestmark = pytest.mark.security("S31")

HELLO = answers(document(b'"hello"'))


class Names:
    """A resolver that gives one answer after another and keeps to the last."""

    def __init__(self, *found: tuple[str, ...]) -> None:
        self.found = list(found)
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> list[Any]:
        self.asked.append(host)
        addresses = self.found.pop(0) if len(self.found) > 1 else self.found[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (each, port)) for each in addresses]


@pytest.fixture(autouse=True)
def world(settings: Settings) -> None:
    settings.CHAT_WEBHOOK_ALLOWED_NETWORKS = "127.0.0.2/32"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(HELLO, host="127.0.0.2") as running:
        yield running


def post(url: str, names: Names, **options: Any) -> requests.Response:
    with ssrf.session(deadline=30, resolve=names) as session:
        return session.post(url, data=b"{}", timeout=5, **options)


def test_public_server_is_called_by_name_over_one_connection() -> None:
    heads: list[bytes] = []

    def hear(connection: socket.socket) -> None:
        while head := read_request(connection):
            heads.append(head)
            connection.sendall(document(b'"hello"'))

    with Server(hear, host="127.0.0.2") as server:
        call_three_times(server)
    assert all(b"\r\nhost: hook.test:%d\r\n" % server.port in head.lower() for head in heads)


def call_three_times(server: Server) -> None:
    names = Names(("127.0.0.2",))
    with ssrf.session(deadline=30, resolve=names) as session:
        for _ in range(3):
            answer = session.post(f"http://hook.test:{server.port}/", data=b"{}", timeout=5)
            assert answer.json() == "hello"
    assert names.asked == ["hook.test"]
    assert server.connections == 1


@pytest.mark.parametrize(
    "addresses", [("127.0.0.1",), ("169.254.169.254",), ("127.0.0.2", "127.0.0.1"), ("10.0.0.1",)]
)
def test_a_name_that_leads_inside_is_not_called(addresses: tuple[str, ...]) -> None:
    with Server(HELLO) as inside, pytest.raises(ForbiddenURL):
        post(f"http://hook.test:{inside.port}/", Names(addresses))
    assert inside.connections == 0


def test_localhost_is_not_called_by_the_real_resolver() -> None:
    with Server(HELLO) as inside, ssrf.session(deadline=30) as session, pytest.raises(ForbiddenURL):
        session.get(f"http://localhost:{inside.port}/", timeout=5)
    assert inside.connections == 0


def test_dns_rebinding_does_not_change_the_checked_address(server: Server) -> None:
    names = Names(("127.0.0.2",), ("127.0.0.1",))
    url = f"http://hook.test:{server.port}/"
    assert post(url, names).ok
    assert names.asked == ["hook.test"]
    with pytest.raises(ForbiddenURL):
        post(url, names)
    assert server.connections == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with Server(HELLO) as inside:
        there = f"HTTP/1.1 {status} X\r\nLocation: {inside.url}\r\nContent-Length: 0\r\n\r\n"
        with (
            Server(answers(there.encode()), host="127.0.0.2") as server,
            pytest.raises(ForbiddenURL, match="redirect"),
        ):
            post(f"http://hook.test:{server.port}/", Names(("127.0.0.2",)))
    assert inside.connections == 0


def test_a_proxy_of_the_environment_is_not_used(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Server(HELLO) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        assert post(f"http://hook.test:{server.port}/", Names(("127.0.0.2",))).ok
        assert post(
            f"http://hook.test:{server.port}/", Names(("127.0.0.2",)), proxies={"http": proxy.url}
        ).ok
    assert proxy.connections == 0


def test_a_certificate_is_held_against_the_name_not_the_address() -> None:
    with Server(HELLO, certificate="good", host="127.0.0.2") as server:
        there = Names(("127.0.0.2",))
        assert post(f"https://localhost:{server.port}/", there, verify=CA).ok
        with pytest.raises(requests.exceptions.SSLError):
            post(f"https://hook.test:{server.port}/", there, verify=CA)
        with pytest.raises(requests.exceptions.SSLError):
            post(f"https://localhost:{server.port}/", there)


def test_the_next_address_is_tried_when_one_refuses(settings: Settings, server: Server) -> None:
    settings.CHAT_WEBHOOK_ALLOWED_NETWORKS = "127.0.0.2/31"
    url = f"http://hook.test:{server.port}/"
    assert post(url, Names(("127.0.0.3", "127.0.0.2"))).ok
    with pytest.raises(requests.ConnectionError):
        post(url, Names(("127.0.0.3",)))


def test_a_name_that_nobody_knows_is_no_connection() -> None:
    def unknown(host: str, port: int) -> list[Any]:
        raise socket.gaierror(socket.EAI_NONAME, f"{host}:{port}")

    with (
        ssrf.session(deadline=30, resolve=unknown) as session,
        pytest.raises(requests.ConnectionError),
    ):
        session.get("http://hook.test/", timeout=5)
