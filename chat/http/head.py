"""The head of a response: its status line and headers, after interim responses (1xx).

Heads are read as leniently as by Python's http.client: lines may end with LF alone, and a line that
is no header is ignored.
"""

import re
from typing import NamedTuple

from chat.http.errors import InvalidHTTP

# Interim responses before the response itself. More are an error.
MAX_INTERIM_RESPONSES = 4
# Bytes of the heads of a response and of the interim responses before it.
MAX_HEAD_BYTES = 16 * 1024
# Headers of one head.
MAX_HEADERS = 100
_SWITCHING_PROTOCOLS = 101
_FINAL = 200
_STATUS_LINE = re.compile(rb"HTTP/(\d)\.?(\d?)\s+(\d{3})(?:\s|$)")


class Head(NamedTuple):
    status: int
    # By lower-case name. Values of one name are joined by ", ".
    headers: dict[str, str]
    # Whether the server keeps the connection open.
    keeps_alive: bool


class HeadReader:
    """Takes lines from the start of a buffer until the head is complete."""

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        self._left = MAX_HEAD_BYTES
        self._interim_left = MAX_INTERIM_RESPONSES

    def take(self, buffer: bytearray) -> Head | None:
        """Remove the received lines from the buffer; return the head once it is complete.

        Raises:
            InvalidHTTP: it is not HTTP, or exceeds a limit.
        """
        while (end := buffer.find(b"\n", 0, self._left)) >= 0:
            line = bytes(buffer[:end]).rstrip(b"\r")
            del buffer[: end + 1]
            self._left -= end + 1
            if not self._lines:
                _status_match(line)
            if line:
                self._add(line)
            elif head := self._finish():
                return head
        if len(buffer) >= self._left:
            raise InvalidHTTP(f"a response head of more than {MAX_HEAD_BYTES} bytes")
        return None

    def _add(self, line: bytes) -> None:
        self._lines.append(line)
        if len(self._lines) > 1 + MAX_HEADERS:
            raise InvalidHTTP(f"more than {MAX_HEADERS} headers")

    def _finish(self) -> Head | None:
        """Return the head, or `None` if it is an interim response."""
        found = _status_match(self._lines[0])
        status = int(found[3])
        lines, self._lines = self._lines[1:], []
        if status >= _FINAL or status == _SWITCHING_PROTOCOLS:
            return _parse(status, is_1_0=found[1] == b"1" and found[2] == b"0", lines=lines)
        if not self._interim_left:
            raise InvalidHTTP(f"more than {MAX_INTERIM_RESPONSES} interim responses")
        self._interim_left -= 1
        return None


def _status_match(line: bytes) -> re.Match[bytes]:
    found = _STATUS_LINE.match(line)
    if found is None:
        raise InvalidHTTP("an invalid status line")
    return found


def _parse(status: int, *, is_1_0: bool, lines: list[bytes]) -> Head:
    headers: dict[str, str] = {}
    name = ""
    for line in lines:
        if line[:1] in {b" ", b"\t"}:  # the continuation of the line before
            if name:
                headers[name] += " " + line.strip().decode("latin-1")
            continue
        raw_name, colon, raw_value = line.decode("latin-1").partition(":")
        if not colon:
            continue
        name, value = raw_name.strip().lower(), raw_value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    connection = headers.get("connection", "").lower()
    keeps_alive = "keep-alive" in connection if is_1_0 else "close" not in connection
    return Head(status, headers, keeps_alive)
