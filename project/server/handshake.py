"""Validation of WebSocket handshakes, by RFC 6455, 4.2.1."""

import re

from uvicorn._types import HTTPScope

from chat.domain.errors import HeadersTooLarge, InvalidRequest

# Limits of a handshake. The library `websockets` accepts little more.
MAX_LINES = 128
MAX_LINE_BYTES = 8000
# Headers that a handshake must contain, with their values.
REQUIRED_HEADERS = {
    b"upgrade": re.compile(b"websocket", re.IGNORECASE),
    b"sec-websocket-key": re.compile(rb"[A-Za-z0-9+/]{22}=="),
    b"sec-websocket-version": re.compile(b"13"),
}
# Headers of a handshake that are lists of tokens.
LIST_HEADERS = {b"connection", b"sec-websocket-protocol"}
_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
TOKEN_LIST = re.compile(rb"[ \t,]*%b(?:[ \t]*,[ \t,]*%b)*[ \t,]*" % (_TOKEN, _TOKEN))


def handshake_error(
    scope: HTTPScope, url: bytes, headers: list[tuple[bytes, bytes]]
) -> InvalidRequest | None:
    """Return why a handshake is rejected, or `None`."""
    lines = [url, *(name + value for name, value in headers)]
    if len(lines) > MAX_LINES or max(map(len, lines)) > MAX_LINE_BYTES:
        return HeadersTooLarge()
    if not _is_valid(scope, headers):
        return InvalidRequest("The WebSocket handshake is not valid.")
    return None


def _is_valid(scope: HTTPScope, headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether the head is a handshake without duplicate headers."""
    values = [[v.strip() for name, v in headers if name == wanted] for wanted in REQUIRED_HEADERS]
    matches = zip(values, REQUIRED_HEADERS.values(), strict=True)
    is_get = (scope["method"], scope["http_version"]) == ("GET", "1.1")
    origins = sum(name == b"origin" for name, _ in headers)
    return (
        is_get
        and all(len(v) == 1 and form.fullmatch(v[0]) for v, form in matches)
        and all(TOKEN_LIST.fullmatch(value) for name, value in headers if name in LIST_HEADERS)
        and origins <= 1
    )
