"""Errors of nginx and Caddy with the files of docs/nginx.md, and the files themselves."""

import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from http.client import HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from chat.settings import ChatSettings
from project.runner import commands
from tests.harness.documented_proxies import CERTIFICATE, FILES, Site, start_proxy
from tests.harness.ports import free_port
from tests.harness.processes import Process
from tests.harness.stack import Stack
from tests.integration.api.client import error_code

CA = str(CERTIFICATE.with_name("ca.pem"))
# Larger than the largest body that the files allow.
BODY = b" " * 5_000_000
Start = Callable[..., Process]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Return a function that starts the proxy of a site."""
    started: list[Process] = []

    def start_one(site: Site, target: str = "", **replaced: str) -> Process:
        target = target or f"http://127.0.0.1:{free_port()}"
        started.append(start_proxy(site, tmp_path / site, target, **replaced))
        return started[-1]

    yield start_one
    for process in started:
        process.ensure_stopped()


@pytest.fixture
def silent_server() -> Iterator[str]:
    """The URL of a server that reads one connection and never responds."""

    def read() -> None:
        with suppress(OSError):
            connection, _ = server.accept()
            with connection:
                while connection.recv(65536):
                    pass

    with socket.create_server(("127.0.0.1", 0)) as server:
        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
    # The proxy has closed the connection after its error.
    reader.join(20)


def request(method: str, proxy: Process, body: bytes | Iterator[bytes] = b"") -> requests.Response:
    headers = {"Content-Type": "application/json"}
    url = f"{proxy.url}/sessions"
    return requests.request(method, url, data=body, headers=headers, verify=CA, timeout=20)


def check_unavailable(response: requests.Response, status: int) -> None:
    assert response.status_code == status
    error = response.json()["error"]
    assert (error["code"], error["retry_after"]) == ("unavailable", 2)
    assert response.headers["Retry-After"] == "2"
    check_headers(response)


def check_too_large(response: requests.Response) -> None:
    assert response.status_code == 413
    assert error_code(response) == "body_too_large"
    check_headers(response)


def check_headers(response: requests.Response) -> None:
    body = response.json()
    assert body.keys() == {"error", "detail"}
    assert body["error"].keys() == {"code", "type", "message", "param", "request_id", "retry_after"}
    assert body["error"]["request_id"] == response.headers["X-Request-ID"]
    assert body["detail"] == body["error"]["message"]
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("site", "status"),
    [
        (Site.NGINX, 502),
        (Site.NGINX_KEEPS_PREFIX, 502),
        (Site.CADDY, 502),
        (Site.HAPROXY, 503),
    ],
)
def test_proxy_without_a_web_process_returns_json(start: Start, site: Site, status: int) -> None:
    check_unavailable(request("GET", start(site)), status)


@pytest.mark.security("S53")
def test_clients_of_a_proxy_cannot_invent_addresses(
    start: Start, stack: Stack, tmp_path: Path
) -> None:
    rates = {"CHAT_SESSIONS_PER_MINUTE": "1", "CHAT_SESSIONS_BURST": "2"}
    port = free_port()
    program = commands.web(port=port, env=stack.env | Site.NGINX.env | rates)
    web = Process(program, tmp_path / "log", url=f"http://127.0.0.1:{port}")
    try:
        web.start()
        for number, site in enumerate((Site.NGINX, Site.CADDY, Site.HAPROXY)):
            proxy = start(site, web.url)
            attacker, other = f"127.0.{number}.2", f"127.0.{number}.3"
            opened = [open_session(proxy, attacker, f"9.9.9.{n}") for n in range(4)]
            assert opened == [201, 201, 429, 429], site
            assert open_session(proxy, other, "9.9.9.9") == 201, site
    finally:
        web.ensure_stopped()


def open_session(proxy: Process, address: str, invented: str) -> int:
    """Open a session from this address of loopback; return the status."""
    context = ssl.create_default_context(cafile=CA)
    host = urlsplit(proxy.url).netloc
    connection = HTTPSConnection(host, timeout=20, source_address=(address, 0), context=context)
    with closing(connection):
        connection.request("POST", "/sessions", headers={"X-Forwarded-For": invented})
        return connection.getresponse().status


def test_nginx_rejects_large_bodies_in_json(start: Start) -> None:
    check_too_large(request("POST", start(Site.NGINX), BODY))


@pytest.mark.parametrize("site", [Site.NGINX, Site.CADDY])
def test_proxies_reject_large_bodies_of_unknown_size(
    start: Start, silent_server: str, site: Site
) -> None:
    check_too_large(request("POST", start(site, silent_server), iter([BODY])))


def test_nginx_that_waits_too_long_returns_json(start: Start, silent_server: str) -> None:
    proxy = start(Site.NGINX, silent_server, **{"proxy_read_timeout 75s": "proxy_read_timeout 1s"})
    check_unavailable(request("GET", proxy), 504)


def test_nginx_that_limits_requests_returns_json(start: Start) -> None:
    proxy = start(Site.NGINX, **{"proxy_pass http://parley;": "return 503;"})
    check_unavailable(request("GET", proxy), 503)


def test_proxies_accept_the_largest_body_that_parley_accepts() -> None:
    limits = re.findall(r"max_(?:body_)?size (\d+)m", "".join(FILES.values()), re.IGNORECASE)
    assert len(limits) == 2
    assert min(map(int, limits)) * 1_000_000 > ChatSettings.MAX_BODY_BYTES
