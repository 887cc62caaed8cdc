"""A proxy that answers some requests itself, as sign-in pages and misconfigured proxies do."""

import re

from tests.harness.proxy import Connection, Proxy

# A request head comes in one block; the proxy does not look into others.
REQUEST_LINE = re.compile(rb"[A-Z]+ (/[^ ]*) HTTP/1\.1\r\n")
# Authorization of the user `ada` with the password `secret`.
BASIC = b"\r\nauthorization: basic ywrhonnly3jlda==\r\n"


def response(status: str, body: str = "", kind: str = "text/html", **headers: str) -> bytes:
    """Return an HTTP response of a proxy."""
    lines = {"Content-Type": kind, "Content-Length": str(len(body)), "Server": "acme"} | headers
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n{body}".encode()


PASSWORD_NEEDED = response("401 Unauthorized", WWW_Authenticate='Basic realm="acme"')


class AnsweringProxy(Proxy):
    """Answers the requests whose paths match `answers`, and forwards the others."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        # Pattern of a path -> the response.
        self.answers: dict[str, bytes] = {}
        # Whether requests need the credentials in BASIC.
        self.needs_password = False
        # Paths of the requests that were answered here.
        self.answered: list[str] = []
        self._set_filter(self._route)

    def _route(self, connection: Connection, block: bytes) -> bool:
        head = REQUEST_LINE.match(block)
        if head is None:
            return False
        path = head[1].decode()
        found = next((each for name, each in self.answers.items() if re.match(name, path)), None)
        if self.needs_password and BASIC not in block.lower():
            found = PASSWORD_NEEDED
        if found is None:
            return False
        self.answered.append(path)
        connection.client.sendall(found)
        return True
