"""How connections are closed on clients."""

from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from chat.api.exception_handler import STATUSES, error_response_without_request
from chat.domain.errors import ParleyError

INTERNAL_ERROR = 1011
SERVICE_RESTART = 1012
# Close codes of RFC 6455 and its registry.
TRY_AGAIN_LATER = 1013
NOT_FOUND = 4404
AUTH_TIMEOUT = 4408
# Close codes of our own are this plus the HTTP status that a call would be answered with.
PRIVATE_CODES = 4000
# An extension of the ASGI scope, an `Abort`. The protocols of `project.server` offer it.
ABORT = "parley.abort"
# Ends the connection, whether what was sent has been read or not, if it stands at all.
Abort = Callable[[], None]


def close_code(error: ParleyError) -> int:
    """Return the code with which a socket is closed for an error."""
    status = STATUSES[error.code]
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return TRY_AGAIN_LATER
    return INTERNAL_ERROR if status >= HTTPStatus.INTERNAL_SERVER_ERROR else PRIVATE_CODES + status


def get_abort(scope: Mapping[str, Any]) -> Abort:
    """Return what hangs up on a client; nothing does under a server that does not offer it."""
    found: Abort = scope.get("extensions", {}).get(ABORT, _hang_on)
    return found


def _hang_on() -> None:
    """Leave it to the client to go."""


def handshake_rejection(error: ParleyError) -> Iterator[dict[str, Any]]:
    """Yield the ASGI messages that answer a socket's handshake as REST answers a call."""
    response = error_response_without_request(error)
    headers = [(name.encode(), value.encode()) for name, value in response.headers.items()]
    yield {
        "type": "websocket.http.response.start",
        "status": response.status_code,
        "headers": headers,
    }
    yield {"type": "websocket.http.response.body", "body": response.content}
