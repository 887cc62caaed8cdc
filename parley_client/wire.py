"""HTTP to one Parley: calls that are tried again without being done twice, and streams."""

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

from parley_client.errors import Refusal, Silent, Unreachable
from parley_client.tries import Tries

CONNECT = 5.0
"""Seconds to connect."""
SILENCE = 20.0
"""Seconds without a byte after which a connection counts as dead; a stream has a sign of life every
15 s."""
PIECE = 65536
"""Most bytes of a stream that are taken at once."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call was answered with."""

    body: Any
    """Its JSON; `None` when it has no body."""
    request_id: str


class Bearer(AuthBase):
    """Sends the token. A header alone would give way to what ~/.netrc says of the host."""

    def __init__(self, token: str) -> None:
        self.token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self.token:
            request.headers["Authorization"] = f"Bearer {self.token}"
        return request


class Wire:
    """The connections to one Parley."""

    def __init__(self, base_url: str, *, patience: float, streams: bool) -> None:
        self.patience = patience
        """Seconds that an unanswered call, or a broken stream, is tried again."""
        self.streams = streams
        """Whether sessions are followed by event streams, where the server has them."""
        self._base = _place(base_url)
        self._http = requests.Session()

    def close(self) -> None:
        """Close idle connections."""
        self._http.close()

    def call(
        self,
        method: str,
        path: str,
        *,
        token: str = "",
        body: Mapping[str, object] | None = None,
        params: Mapping[str, str | float] | None = None,
        silence: float = SILENCE,
    ) -> Answer:
        """Return the answer; what may have got lost is asked for again.

        A POST bears one idempotency key over all its tries, so it is done once.

        Raises:
            Refusal: the call was refused, for good or for longer than there is patience.
            Unreachable: there was no answer.
        """
        headers = {}
        if method == "POST":
            headers["Idempotency-Key"] = secrets.token_urlsafe(24)
        if body is not None:
            headers["Content-Type"] = "application/json"
        asked = {
            "params": params,
            # Not requests' own JSON: \u escapes would double the size of most alphabets.
            "data": None if body is None else json.dumps(body, ensure_ascii=False).encode(),
            "headers": headers,
            "auth": Bearer(token),
        }
        tries = Tries(self.patience)
        while True:
            try:
                with self._opened(method, path, silence, **asked) as response:
                    answer = response.json() if response.content else None
                    return Answer(answer, _request_id(response))
            except (Refusal, Unreachable) as error:
                tries.pause(error)

    @contextmanager
    def stream(
        self, path: str, *, token: str, params: Mapping[str, str | float]
    ) -> Iterator[Iterator[bytes]]:
        """Give the bytes of an event stream as they arrive, once; nothing is tried again.

        Raises:
            Refusal, Unreachable: also while the bytes are read.
        """
        headers = {"Accept": "text/event-stream", "Accept-Encoding": "identity"}
        asked = {"params": params, "headers": headers, "auth": Bearer(token)}
        with self._opened("GET", path, SILENCE, **asked) as response:
            yield iter(lambda: response.raw.read1(PIECE), b"")

    @contextmanager
    def _opened(
        self, method: str, path: str, silence: float, **asked: Any
    ) -> Iterator[requests.Response]:
        """Send a request and give its answer, unread.

        Raises:
            Refusal, Unreachable
        """
        try:
            with self._http.request(
                method,
                self._base + path,
                stream=True,
                timeout=(CONNECT, silence),
                # A redirect would turn a POST into a GET.
                allow_redirects=False,
                **asked,
            ) as response:
                if response.status_code >= HTTPStatus.MULTIPLE_CHOICES:
                    raise _refusal(response)
                yield response
        except (requests.ReadTimeout, ReadTimeoutError) as error:
            raise Silent(f"{self._base} says nothing more.") from error
        except (OSError, HTTPError) as error:  # an OSError is also whatever requests raises
            raise Unreachable(f"{self._base} gives no answer.") from error


def _place(url: str) -> str:
    """Return the URL to put paths behind.

    Raises:
        ValueError: it is none; asking there would only look as if nobody answered.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{url!r} is no http(s) URL.")
    return url.rstrip("/")


def _refusal(response: requests.Response) -> Refusal:
    """Return what the answer refuses the call with: Parley's words, or those of a proxy."""
    try:
        error = response.json()["error"]
        code, message, param = error["code"], error["message"], error["param"]
    except (ValueError, LookupError, TypeError):
        code = f"http_{response.status_code}"
        place = response.headers.get("Location")
        message, param = f"{response.reason}: {place}" if place else str(response.reason), None
    return Refusal(
        code,
        message,
        status=response.status_code,
        request_id=_request_id(response),
        param=param,
        retry_after=_seconds(response.headers.get("Retry-After")),
    )


def _seconds(header: str | None) -> float | None:
    """Return Retry-After in seconds; Parley gives no dates."""
    return float(header) if header and header.isdecimal() else None


def _request_id(response: requests.Response) -> str:
    return response.headers.get("X-Request-ID", "")
