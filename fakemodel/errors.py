"""The errors that calls get."""

from dataclasses import dataclass
from typing import NamedTuple

Headers = tuple[tuple[bytes, bytes], ...]


class APIError(Exception):
    """The call gets an HTTP error; each format renders it in its own shape."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        estimated_time: float | None = None,
        retry_after: float | None = None,
        headers: Headers = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param
        # Seconds until the model is loaded.
        self.estimated_time = estimated_time
        # Seconds until the client may try again; each format says it in its own way.
        self.retry_after = retry_after
        self.headers = headers


class ErrorResponse(NamedTuple):
    """An error as bytes."""

    status: int
    content_type: bytes
    body: bytes
    headers: Headers = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TooLong:
    """The error for a prompt that is longer than the model's context."""

    status: int = 400
    message: str
    code: str | None = None
    param: str | None = None

    def error(self) -> APIError:
        return APIError(self.status, self.message, code=self.code, param=self.param)


def retry_after(error: APIError) -> Headers:
    """Return the standard header with the delay of `error`, if it has one."""
    if error.retry_after is None:
        return ()
    return ((b"retry-after", f"{error.retry_after:g}".encode()),)


def bad_request(message: str, param: str | None = None) -> APIError:
    """Return the 400 for a body that is invalid or not supported."""
    return APIError(400, message, param=param)
