"""Close codes of WebSockets, and what Parley's server offers to them in addition to ASGI."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from chat.api.exception_handler import STATUSES, error_response_without_request
from chat.callbacks import noop
from chat.domain.errors import ParleyError, SlowConsumer

# Close codes of RFC 6455 and of IANA's registry.
INTERNAL_ERROR = 1011
SERVICE_RESTART = 1012
TRY_AGAIN_LATER = 1013
# Private close codes: this number plus the HTTP status of the error.
PRIVATE_CODE_BASE = 4000
NOT_FOUND = PRIVATE_CODE_BASE + HTTPStatus.NOT_FOUND
# Not 4408, the number of its status: that means that the client did not authenticate in time.
SLOW_CONSUMER = 4413
# An extension of the ASGI scope, an `Abort`, which the protocols of `project.server` provide.
ABORT = "parley.abort"
# The one that tells the server that the client of a WebSocket is authenticated.
AUTHENTICATED = "parley.authenticated"
# The one that sends text messages, a `SendTexts`.
SEND_TEXTS = "parley.send_texts"
# Sends messages in UTF-8; raises `OSError` if the client has disconnected.
SendTexts = Callable[[Iterable[bytes]], Awaitable[None]]
# Drops the connection if it is open, even if sent data was not read.
Abort = Callable[[], None]


def close_code(error: ParleyError) -> int:
    if isinstance(error, SlowConsumer):
        return SLOW_CONSUMER
    status = STATUSES[error.code]
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return TRY_AGAIN_LATER
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return INTERNAL_ERROR
    return PRIVATE_CODE_BASE + status


def report_authentication(scope: Mapping[str, Any]) -> None:
    """Let the server accept large frames, and drop the handshake's headers from the scope."""
    scope.get("extensions", {}).get(AUTHENTICATED, noop)()


def get_abort(scope: Mapping[str, Any]) -> Abort:
    """Return the scope's `Abort`, or a no-op under a server that does not provide one."""
    abort: Abort = scope.get("extensions", {}).get(ABORT, noop)
    return abort


def get_send_texts(scope: Mapping[str, Any]) -> SendTexts | None:
    """Return the scope's `SendTexts`, or `None` under a server that does not provide one."""
    send_texts: SendTexts | None = scope.get("extensions", {}).get(SEND_TEXTS)
    return send_texts


def handshake_rejection(error: ParleyError) -> Iterator[dict[str, Any]]:
    """Yield the ASGI messages that reject a handshake with the API's error response."""
    response = error_response_without_request(error)
    headers = [(name.encode(), value.encode()) for name, value in response.headers.items()]
    yield {
        "type": "websocket.http.response.start",
        "status": response.status_code,
        "headers": headers,
    }
    yield {"type": "websocket.http.response.body", "body": response.content}
