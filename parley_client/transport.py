"""HTTP transport: calls with idempotent retries, and event streams."""

import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError, ReadTimeoutError

from parley_client.errors import APIConnectionError, APIStatusError, APITimeoutError
from parley_client.retry import Backoff

# Seconds for establishing a connection.
CONNECT_TIMEOUT = 5.0
# Seconds without a byte until a connection counts as dead; streams send a heartbeat every 15 s.
READ_TIMEOUT = 20.0
# Maximum number of bytes per read from a stream.
READ_SIZE = 65536


@dataclass(frozen=True, slots=True)
class APIResponse:
    """A successful response."""

    # Parsed JSON; `None` if the response has no body.
    body: Any
    request_id: str


API_KEY_PREFIX = "pk_"


class BearerAuth(AuthBase):
    """Sends the token. An `Authorization` header alone would be overridden by ~/.netrc."""

    def __init__(self, token: str) -> None:
        self.token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self.token:
            request.headers["Authorization"] = f"Bearer {self.token}"
        return request


class Transport:
    """HTTP connections to one Parley server."""

    def __init__(
        self, base_url: str, *, retry_timeout: float, stream: bool, user: str = ""
    ) -> None:
        # Seconds during which a failed call or a broken stream is retried.
        self.retry_timeout = retry_timeout
        # Whether sessions are read from event streams, if the server has them.
        self.use_stream = stream
        # For whom an API key acts.
        self._user = user
        self._base_url = _valid_base_url(base_url)
        self._http = requests.Session()

    def close(self) -> None:
        """Close idle connections."""
        self._http.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        token: str = "",
        body: Mapping[str, object] | None = None,
        params: Mapping[str, str | float] | None = None,
        read_timeout: float = READ_TIMEOUT,
    ) -> APIResponse:
        """Call the API and return the response; retry retryable errors.

        All attempts of a POST share one idempotency key, so that it takes effect once.

        Raises:
            APIStatusError: the status is an error that a retry did not or cannot resolve.
            APIConnectionError: the server did not respond.
        """
        headers = self._user_header(token)
        if method == "POST":
            headers["Idempotency-Key"] = secrets.token_urlsafe(24)
        if body is not None:
            headers["Content-Type"] = "application/json"
        options = {
            "params": params,
            # Not requests' own JSON: \u escapes would double the size of most alphabets.
            "data": None if body is None else json.dumps(body, ensure_ascii=False).encode(),
            "headers": headers,
            "auth": BearerAuth(token),
        }
        backoff = Backoff(self.retry_timeout)
        while True:
            try:
                with self._send(method, path, read_timeout, **options) as response:
                    parsed = response.json() if response.content else None
                    return APIResponse(parsed, _request_id(response))
            except (APIStatusError, APIConnectionError) as error:
                backoff.wait(error)

    def _user_header(self, token: str) -> dict[str, str]:
        is_api_key = token.startswith(API_KEY_PREFIX)
        return {"Parley-User": self._user} if self._user and is_api_key else {}

    @contextmanager
    def stream(
        self, path: str, *, token: str, params: Mapping[str, str | float]
    ) -> Iterator[Iterator[bytes]]:
        """Open an event stream and yield an iterator of its bytes, without retries.

        Raises:
            APIStatusError, APIConnectionError: also while reading the bytes.
        """
        headers = {
            "Accept": "text/event-stream",
            "Accept-Encoding": "identity",
            **self._user_header(token),
        }
        options = {"params": params, "headers": headers, "auth": BearerAuth(token)}
        with self._send("GET", path, READ_TIMEOUT, **options) as response:
            yield iter(lambda: response.raw.read1(READ_SIZE), b"")

    @contextmanager
    def _send(
        self, method: str, path: str, read_timeout: float, **options: Any
    ) -> Iterator[requests.Response]:
        """Send a request once and yield the response with its body unread.

        Raises:
            APIStatusError, APIConnectionError
        """
        try:
            with self._http.request(
                method,
                self._base_url + path,
                stream=True,
                timeout=(CONNECT_TIMEOUT, read_timeout),
                # A redirect would turn a POST into a GET.
                allow_redirects=False,
                **options,
            ) as response:
                if response.status_code >= HTTPStatus.MULTIPLE_CHOICES:
                    raise _status_error(response)
                yield response
        except (requests.ReadTimeout, ReadTimeoutError) as error:
            raise APITimeoutError(f"{self._base_url} stopped sending data.") from error
        except (OSError, HTTPError) as error:  # requests' exceptions are OSErrors
            raise APIConnectionError(f"Could not reach {self._base_url}.") from error


def _valid_base_url(url: str) -> str:
    """Return the URL without trailing slashes.

    Raises:
        ValueError: it is not an http(s) URL. Calls would fail as if the server were down.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{url!r} is not an http(s) URL.")
    return url.rstrip("/")


def _status_error(response: requests.Response) -> APIStatusError:
    """Return the error of a response from Parley or from a proxy."""
    try:
        error = response.json()["error"]
        code, message, param = error["code"], error["message"], error["param"]
    except (ValueError, LookupError, TypeError):
        code = f"http_{response.status_code}"
        location = response.headers.get("Location")
        message = f"{response.reason}: {location}" if location else str(response.reason)
        param = None
    return APIStatusError(
        code,
        message,
        status=response.status_code,
        request_id=_request_id(response),
        param=param,
        retry_after=_parse_retry_after(response.headers.get("Retry-After")),
    )


def _parse_retry_after(header: str | None) -> float | None:
    """Return the header in seconds; Parley never sends a date."""
    return float(header) if header and header.isdecimal() else None


def _request_id(response: requests.Response) -> str:
    return response.headers.get("X-Request-ID", "")
