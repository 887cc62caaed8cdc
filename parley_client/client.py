"""Entry point: open a session or attach to an existing one."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypedDict, Unpack

from parley_client.errors import APIStatusError
from parley_client.messages import APIObject
from parley_client.session import Session
from parley_client.transport import Transport

# The address of `make run`.
DEFAULT_URL = "http://127.0.0.1:8000"
# Seconds; longer than a server restart takes.
RETRY_TIMEOUT = 30.0
UNAUTHORIZED = 401


class SessionParams(TypedDict, total=False):
    """Fields of a new session. The server fills in defaults for missing fields and `None`."""

    name: str
    system_prompt: str | None
    model: str | None
    context: Mapping[str, int] | None
    metadata: Mapping[str, object] | None
    webhook_url: str | None
    # Seconds that the session lives after its last activity.
    ttl: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Model(APIObject):
    """A model that a session can use."""

    name: str
    is_default: bool
    # Maximum number of tokens of prompt and reply together.
    context_tokens: int
    # Maximum number of tokens of a reply.
    max_tokens: int
    # Whether replies arrive in deltas.
    streams: bool
    # What messages may contain: text, image, file.
    inputs: Sequence[str] = ("text",)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSummary(APIObject):
    """A session in a list."""

    id: str
    name: str
    # `idle`, or `busy` while a turn is queued or running.
    status: str
    model: str
    # Seconds since the epoch.
    last_active_at: float


class Client:
    """Client for one Parley server.

    Methods that call the server raise `APIStatusError` or `APIConnectionError`.
    """

    def __init__(
        self,
        base_url: str = "",
        *,
        api_key: str = "",
        user: str = "",
        retry_timeout: float = RETRY_TIMEOUT,
        stream: bool = True,
    ) -> None:
        """Create a client without connecting to the server.

        base_url: http(s) URL of the server. Default: the environment variable PARLEY_URL, or
            http://127.0.0.1:8000.
        api_key: an API key, or a JWT; opens and lists sessions.
        user: for whom the API key acts.
        retry_timeout: seconds during which a call is retried after connection errors and after
            statuses 408, 429, 502, 503 and 504.
        stream: read replies as Server-Sent Events if possible; if false, use long polling.

        Raises:
            ValueError: base_url is not an http(s) URL.
        """
        url = base_url or os.environ.get("PARLEY_URL") or DEFAULT_URL
        self._api_key = api_key
        self._transport = Transport(url, retry_timeout=retry_timeout, stream=stream, user=user)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close idle connections. The client remains usable."""
        self._transport.close()

    def open(self, **params: Unpack[SessionParams]) -> Session:
        """Open a new session."""
        body = {field: value for field, value in params.items() if value is not None}
        created = self._transport.request("POST", "/sessions", token=self._api_key, body=body).body
        return Session(self._transport, created["token"], created)

    def attach(self, token: str) -> Session:
        """Return the existing session of a token."""
        session_id, _, secret = token.partition(".")
        if not secret or not session_id.isascii() or not session_id.replace("_", "").isalnum():
            raise APIStatusError(
                "invalid_token", "This is not a session token.", status=UNAUTHORIZED
            )
        session = Session(self._transport, token, {"id": session_id})
        session.refresh()
        return session

    def session(self, session_id: str) -> Session:
        """Return an existing session of the client's user or tenant, by the API key or JWT."""
        session = Session(self._transport, self._api_key, {"id": session_id})
        session.refresh()
        return session

    def sessions(self, *, query: str = "") -> Iterator[SessionSummary]:
        """Yield the sessions of the client's user, most recently active first.

        query: a part of the name.
        """
        params: dict[str, str | float] = {"q": query}
        while True:
            page = self._transport.request(
                "GET", "/sessions", token=self._api_key, params=params
            ).body
            yield from map(SessionSummary.from_json, page["data"])
            if page["next_before"] is None:
                return
            params["before"] = page["next_before"]

    def attach_or_open(self, token: str | None, **params: Unpack[SessionParams]) -> Session:
        """Return the existing session of a token, or open a new one if the token is not valid.

        If you store tokens, for example in a cookie, store the returned session's `token`.
        """
        try:
            return self.attach(token or "")
        except APIStatusError as error:
            if not error.is_gone:
                raise
            return self.open(**params)

    def models(self) -> list[Model]:
        """Return the models that sessions can use."""
        return [
            Model.from_json(model)
            for model in self._transport.request("GET", "/models").body["data"]
        ]
