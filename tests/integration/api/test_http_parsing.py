"""HTTP parsing: malformed requests, and limits on the size and time of headers."""

from collections.abc import Callable
from contextlib import ExitStack, suppress

import pytest
import requests

from tests.harness.wait import wait_until
from tests.integration.api.client import APIClient, RawConnection, status_and_code

HEAD = b"GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\n"


CHUNKED = (
    b"POST /sessions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
MALFORMED = {
    "nonsense": b"\x16\x03\x01\x02\x00\x01\r\n\r\n",
    "method": b"G@T /live HTTP/1.1\r\nHost: x\r\n\r\n",
    "target": b"GET /li ve HTTP/1.1\r\nHost: x\r\n\r\n",
    "letters": "GET /lïve HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
    "version": b"GET /live HTTP/9.x\r\nHost: x\r\n\r\n",
    "header name": HEAD + b"X Y: 1\r\n\r\n",
    "header without colon": HEAD + b"nothing\r\n\r\n",
    "header with NUL": HEAD + b"X: \x00\r\n\r\n",
    "folded header": HEAD + b"X-A: 1\r\n X-B: 2\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "length": HEAD + b"Content-Length: -1\r\n\r\n",
    "length and chunks": HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n",
    "size of a chunk": CHUNKED + b"what\r\n",
    "end of a chunk": CHUNKED + b"2\r\n{}!!0\r\n\r\n",
}


HOSTS = {
    "without Host": b"GET /live HTTP/1.1\r\nConnection: close\r\n\r\n",
    "two hosts": HEAD + b"Host: 127.0.0.1\r\n\r\n",
    "two different hosts": HEAD + b"HOST: evil.example\r\n\r\n",
    "POST without Host": b"POST /sessions HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
    "poll without Host": b"GET /sessions/x?wait=1 HTTP/1.1\r\n\r\n",
    "event stream without Host": b"GET /sessions/x/events HTTP/1.1\r\n\r\n",
    "event stream with two hosts": b"GET /sessions/x/events HTTP/1.1\r\n"
    + 2 * b"Host: x\r\n"
    + b"\r\n",
    "admin with two hosts": b"GET /admin/ HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
    "two hosts of an old HTTP": b"GET /live HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
}


UPGRADE = b"Host: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
KEY, VERSION = (
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    b"Sec-WebSocket-Version: 13\r\n",
)
MALFORMED["handshake of an old HTTP"] = b"GET / HTTP/1.0\r\n" + UPGRADE + KEY + VERSION + b"\r\n"
MALFORMED |= {
    f"handshake {name}": b"%b /sessions/x/ws HTTP/1.1\r\n" % method + UPGRADE + rest + b"\r\n"
    for name, method, rest in (
        ("by POST", b"POST", KEY + VERSION),
        ("with a body", b"POST", KEY + VERSION + b"Content-Length: 1\r\n\r\nx"),
        ("without key", b"GET", VERSION),
        ("with two keys", b"GET", KEY + KEY + VERSION),
        ("with a short key", b"GET", b"Sec-WebSocket-Key: eA==\r\n" + VERSION),
        ("of another version", b"GET", KEY + b"Sec-WebSocket-Version: 8\r\n"),
        ("from two origins", b"GET", KEY + VERSION + 2 * b"Origin: http://localhost\r\n"),
        ("of no protocol", b"GET", KEY + VERSION + b"Sec-WebSocket-Protocol: a b\r\n"),
        ("of odd options", b"GET", KEY + VERSION + b"Connection: Upgrade, @\r\n"),
        ("of two protocols", b"GET", KEY + VERSION + b"Upgrade: websocket\r\n"),
    )
}
HANDSHAKE = UPGRADE + KEY + VERSION + b"\r\n"
HOSTS |= {
    "handshake with two hosts": b"GET /sessions/x/ws HTTP/1.1\r\nHost: x\r\n" + HANDSHAKE,
    "handshake without Host": b"GET /sessions/x/ws HTTP/1.1\r\n" + HANDSHAKE[len(b"Host: x\r\n") :],
}


def parse_response(response: bytes) -> requests.Response:
    """Return the bytes of a response as an object of `requests`."""
    head, _, body = response.partition(b"\r\n\r\n")
    line, *headers = head.decode().split("\r\n")
    parsed = requests.Response()
    parsed.status_code = int(line.split()[1])
    parsed.headers.update(dict(header.split(": ", 1) for header in headers))
    parsed._content = body
    return parsed


def read_error(connection: RawConnection) -> tuple[int, str]:
    """Return the status and code of an error, and check its headers."""
    response = parse_response(connection.read_response())
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["Cache-Control"] == "no-store"
    assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]
    assert response.headers["Connection"] == "close"
    assert "Server" not in response.headers
    return status_and_code(response)


@pytest.fixture
def short_timeout(api_with: Callable[..., APIClient]) -> APIClient:
    return api_with(CHAT_REQUEST_TIMEOUT="0.5")


def test_unsupported_upgrade_is_ignored(api: APIClient) -> None:
    """Java's HttpClient sends these headers to every plain-text server."""
    headers = (
        b"Host: 127.0.0.1\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAA\r\nConnection: Upgrade, "
        b"HTTP2-Settings\r\n"
    )
    opening = b"POST /sessions HTTP/1.1\r\n" + headers + b"Content-Type: application/json\r\n"
    with RawConnection(api.url) as connection:
        connection.send(
            opening + b'Content-Length: 14\r\n\r\n{"name":"one"}',
            opening
            + b'Transfer-Encoding: chunked\r\n\r\n8\r\n{"name":\r\n6\r\n"two"}\r\n0\r\n\r\n',
            (b"GET /live HTTP/1.1\r\n" + headers + b"\r\n") * 20,
            HEAD + b"Connection: close\r\n\r\n",
        )
        received = b"".join(iter(connection.read_response, b""))
    assert received.count(b"HTTP/1.1 200 ") == 21
    assert received.count(b"HTTP/1.1 201 ") == 2
    assert [name in received for name in (b'"name":"one"', b'"name":"two"')] == [True, True]


@pytest.mark.security("S26")
def test_incomplete_headers_time_out(short_timeout: APIClient) -> None:
    first = [b"", b"GE", HEAD, HEAD + b"X-Slow: ", b"\r\n"]
    further = [HEAD + b"\r\n" + begun for begun in (b"", b"GET", b"\r\n", HEAD)]
    with ExitStack() as stack:
        connections = [
            stack.enter_context(RawConnection(short_timeout.url)) for _ in (*first, *further)
        ]
        for connection, begun in zip(connections, (*first, *further), strict=True):
            connection.send(begun)
        for connection in connections:
            assert connection.is_closed_within(20)


@pytest.mark.thorough
@pytest.mark.security("S26")
def test_slowly_sent_headers_time_out(short_timeout: APIClient) -> None:
    def is_closed(connection: RawConnection) -> bool:
        with suppress(ConnectionError):
            connection.send(b"X-Slow: 1\r\n")
            return connection.is_closed_within(0.05)
        return True

    with RawConnection(short_timeout.url) as connection:
        connection.send(HEAD)
        wait_until(lambda: is_closed(connection), within=20)


@pytest.mark.thorough
@pytest.mark.security("S26")
def test_long_poll_may_exceed_the_request_timeout(short_timeout: APIClient) -> None:
    """The timeout applies to the headers only."""
    owner = short_timeout.open_session()
    seq = owner.get_session()["seq"]
    response = owner.get(params={"after": seq, "wait": 1.5})
    assert response.status_code == 200


@pytest.mark.security("S11", "S26")
def test_too_large_headers_are_rejected(api: APIClient) -> None:
    for head in (b"GET /%b" % (b"x" * 500_000), HEAD + b"X-Many: " + b"x" * 70_000):
        with RawConnection(api.url) as connection:
            connection.send(head)
            assert read_error(connection) == (431, "headers_too_large")
            assert connection.is_closed_within(20)
    with RawConnection(api.url) as connection:
        connection.send(HEAD, b"X-Many: ", b"x" * 30_000, b"\r\n\r\n")
        assert connection.read_response().startswith(b"HTTP/1.1 200 ")


@pytest.mark.security("S11")
@pytest.mark.parametrize("more", [b"X: " + b"x" * 9_000 + b"\r\n", b"X: 1\r\n" * 200])
def test_handshake_headers_have_a_lower_limit(api: APIClient, more: bytes) -> None:
    with RawConnection(api.url) as connection:
        connection.send(b"GET / HTTP/1.1\r\n", UPGRADE, KEY, VERSION, more, b"\r\n")
        assert read_error(connection) == (431, "headers_too_large")


@pytest.mark.security("S11", "S22")
def test_trailer_is_not_treated_as_headers(api_with: Callable[..., APIClient]) -> None:
    """Otherwise a client could set the headers of the proxy."""
    api = api_with(
        CHAT_TRUSTED_PROXIES="127.0.0.1", CHAT_SESSIONS_BURST="1", CHAT_SESSIONS_PER_MINUTE="1"
    )
    statuses = []
    for number in range(3):
        with RawConnection(api.url) as connection:
            head = (
                f"POST /sessions HTTP/1.1\r\nHost: {connection.host}\r\n"
                "X-Forwarded-For: 1.1.1.1\r\n"
                "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
            )
            trailer = f"X-Forwarded-For: 9.9.9.{number}\r\nAuthorization: Bearer x\r\n\r\n"
            connection.send(head.encode(), b"2\r\n{}\r\n0\r\n", trailer.encode())
            statuses.append(connection.read_response()[9:12])
    assert statuses == [b"201", b"429", b"429"]


@pytest.mark.security("S09", "S35")
@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_http_returns_json_error(api: APIClient, name: str) -> None:
    with RawConnection(api.url) as connection:
        connection.send(MALFORMED[name])
        assert read_error(connection) == (400, "invalid_request")
        assert connection.is_closed_within(20)


@pytest.mark.security("S09", "S59")
@pytest.mark.parametrize("name", HOSTS)
def test_missing_or_repeated_host_is_rejected(api: APIClient, name: str) -> None:
    with RawConnection(api.url) as connection:
        connection.send(HOSTS[name])
        assert read_error(connection) == (400, "invalid_request")
        assert connection.is_closed_within(20)


@pytest.mark.security("S09", "S35")
def test_malformed_http_is_rejected_on_a_used_connection(api: APIClient) -> None:
    with RawConnection(api.url) as connection:
        connection.send(HEAD, b"\r\n")
        assert connection.read_response().startswith(b"HTTP/1.1 200 ")
        connection.send(b"nonsense\r\n\r\n")
        assert read_error(connection) == (400, "invalid_request")


@pytest.mark.security("S09", "S11")
@pytest.mark.parametrize(
    "further",
    [
        b"nonsense\r\n\r\n",
        b"POST / HTTP/1.1\r\n" + UPGRADE + b"\r\n",
        b"GET / HTTP/1.1\r\n" + UPGRADE + KEY + VERSION + b"\r\n",
        HEAD + b"X-Many: " + b"x" * 500_000 + b"\r\n\r\n",
    ],
    ids=["nonsense", "upgrade", "handshake", "large"],
)
def test_malformed_http_keeps_the_previous_response(owner: APIClient, further: bytes) -> None:
    """Two responses to one request would shift all later ones on a proxy's connection."""
    poll = f"GET {owner.path}?after={owner.get_session()['seq']}&wait=0.3 HTTP/1.1"
    with RawConnection(owner.url) as connection:
        connection.send_headers(poll, Authorization=f"Bearer {owner.token}")
        connection.send(further)
        response = parse_response(connection.read_response())
        assert response.status_code == 200
        assert response.json()["id"] == owner.id
        with suppress(ConnectionError):
            assert connection.read_response() == b""
        assert connection.is_closed_within(20)


@pytest.mark.security("S26")
def test_excessive_pipelining_closes_the_connection(
    api: APIClient,
) -> None:
    """Each queued request takes memory, and one read receives 250 kB of them."""
    with RawConnection(api.url) as connection:
        connection.send(6000 * (HEAD + b"\r\n"))
        received = b"".join(iter(connection.read_response, b""))
    assert 20 < received.count(b"HTTP/1.1 200 ") < 100
    assert received.count(b"HTTP/1.1 ") == received.count(b"HTTP/1.1 200 ")
