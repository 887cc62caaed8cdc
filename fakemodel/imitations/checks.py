"""What servers require of a request: a key, and not too many stop sequences."""

from collections.abc import Callable

from fakemodel.calls import Call
from fakemodel.errors import APIError
from fakemodel.formats.base import RequestHead


def require_bearer(message: str) -> Callable[[RequestHead], None]:
    """Return a check that rejects requests without a bearer token, with 401 and `message`."""

    def check(head: RequestHead) -> None:
        scheme, _, token = head.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or not token:
            raise APIError(401, message)

    return check


def limit_stops(maximum: int, message: str, *, status: int = 400) -> Callable[[Call], None]:
    """Return a check that rejects calls with more stop sequences; `message` has `{count}`."""

    def check(call: Call) -> None:
        count = len(call.stop_sequences)
        if count > maximum:
            raise APIError(status, message.format(count=count), param="stop")

    return check
