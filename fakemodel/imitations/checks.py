"""What servers require of a request: keys, parameters, fields they know, few stop sequences."""

from collections.abc import Callable, Iterable
from typing import Any

from fakemodel.calls import Call
from fakemodel.errors import APIError, bad_request
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


def reject_fields(names: Iterable[str], message: str) -> Callable[[dict[str, Any]], None]:
    """Return a check that rejects bodies with one of the fields; `message` has `{name}`."""
    rejected = frozenset(names)

    def check(fields: dict[str, Any]) -> None:
        if found := sorted(rejected & fields.keys()):
            raise bad_request(message.format(name=found[0]), found[0])

    return check
