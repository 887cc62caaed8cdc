"""Clients of the API: one for JSON, and one for arbitrary bytes."""

import socket
from typing import Any
from urllib.parse import urlsplit

import requests

# Seconds per response.
TIMEOUT = 40.0


class APIClient:
    """A client of one web process, with or without a session's token."""

    def __init__(self, url: str, *, id: str = "", token: str = "") -> None:  # noqa: A002
        self.url = url
        self.id = id
        self.token = token

    def open_session(self, **fields: Any) -> "APIClient":
        """Create a session; return a client with its token."""
        response = self.post("/sessions", fields)
        assert response.status_code == 201, response.text
        session = response.json()
        return APIClient(self.url, id=session["id"], token=session["token"])

    @property
    def path(self) -> str:
        """Return the path of the session."""
        return f"/sessions/{self.id}"

    def request(self, method: str, path: str, **arguments: Any) -> requests.Response:
        """Send a request with the token, unless `headers` contain another one."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        arguments["headers"] = headers | arguments.get("headers", {})
        return requests.request(method, self.url + path, timeout=TIMEOUT, **arguments)

    def get(self, path: str = "", **arguments: Any) -> requests.Response:
        """Get a path; by default the session."""
        return self.request("GET", path or self.path, **arguments)

    def post(self, path: str, body: Any = None, **headers: str) -> requests.Response:
        """Post JSON; `_` in header names becomes `-`."""
        renamed = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.request("POST", path, json={} if body is None else body, headers=renamed)

    def post_bytes(self, path: str, body: bytes, **headers: str) -> requests.Response:
        """Post bytes with the content type of JSON."""
        renamed = {name.replace("_", "-"): value for name, value in headers.items()}
        all_headers = {"Content-Type": "application/json"} | renamed
        return self.request("POST", path, data=body, headers=all_headers)

    def post_message(self, content: str, **fields: Any) -> dict[str, Any]:
        """Post a message, which must be accepted; return the response."""
        response = self.post("/messages", {"content": content, **fields})
        assert response.status_code == 202, response.text
        body: dict[str, Any] = response.json()
        return body

    def get_session(self, **query: Any) -> dict[str, Any]:
        """Return the session."""
        response = self.get(params=query)
        assert response.status_code == 200, response.text
        session: dict[str, Any] = response.json()
        return session


def error_code(response: requests.Response) -> str:
    """Return the code of an error response, and check the response's format."""
    body = response.json()
    assert set(body) == {"error", "detail"}
    error = body["error"]
    assert set(error) == {"code", "type", "message", "param", "request_id", "retry_after"}
    assert error["request_id"] == response.headers["X-Request-ID"]
    assert body["detail"] == error["message"]
    can_retry = response.status_code in {429, 503}
    assert ("Retry-After" in response.headers) == can_retry
    if can_retry:
        assert int(response.headers["Retry-After"]) == error["retry_after"] >= 1
    assert ("WWW-Authenticate" in response.headers) == (response.status_code == 401)
    code: str = error["code"]
    return code


def status_and_code(response: requests.Response) -> tuple[int, str]:
    """Return the status and the code of an error response."""
    return response.status_code, error_code(response)


class RawConnection:
    """A TCP connection that sends arbitrary bytes."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self.host = parts.netloc
        self._socket = socket.create_connection((parts.hostname, parts.port or 80), TIMEOUT)

    def __enter__(self) -> "RawConnection":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, *parts: bytes) -> None:
        """Send the concatenated bytes."""
        self._socket.sendall(b"".join(parts))

    def send_headers(self, line: str, **headers: str) -> None:
        """Send a request line and headers."""
        renamed = {"Host": self.host} | {n.replace("_", "-"): v for n, v in headers.items()}
        lines = [line, *(f"{name}: {value}" for name, value in renamed.items()), "", ""]
        self.send("\r\n".join(lines).encode())

    def read_response(self) -> bytes:
        """Receive until there is a complete response, or the server closes the connection."""
        received = b""
        while not _is_complete(received) and (chunk := self._socket.recv(65536)):
            received += chunk
        return received

    def is_closed_within(self, seconds: float) -> bool:
        """Return whether the server closes the connection in time."""
        self._socket.settimeout(seconds)
        try:
            while self._socket.recv(65536):
                pass
        except TimeoutError:
            return False
        except ConnectionError:
            return True
        return True


def _is_complete(response: bytes) -> bool:
    head, separator, body = response.partition(b"\r\n\r\n")
    if not separator:
        return False
    lines = head.lower().split(b"\r\n")
    lengths = [int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")]
    return bool(lengths) and len(body) >= lengths[0]
