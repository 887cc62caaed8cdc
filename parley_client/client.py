"""The way in: open a session, or go on with one."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypedDict, Unpack

from parley_client.errors import Refusal
from parley_client.messages import Told
from parley_client.session import Session
from parley_client.wire import Wire

HERE = "http://127.0.0.1:8000"
"""Where `make run` puts Parley."""
PATIENCE = 30.0
"""Seconds; a restart of the server takes a few."""
UNAUTHORIZED = 401


class Wishes(TypedDict, total=False):
    """What a session may be opened with; what is not given is the server's default."""

    name: str
    system_prompt: str | None
    model: str | None
    context: Mapping[str, int] | None
    metadata: Mapping[str, object] | None
    webhook_url: str | None
    ttl: int | None
    """Seconds from its last activity to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model(Told):
    """A model that sessions may name."""

    name: str
    is_default: bool
    context_tokens: int
    """Most tokens of prompt and reply together."""
    max_tokens: int
    """Most tokens of a reply."""
    streams: bool
    """Replies grow piece by piece."""


class Client:
    """One Parley. Every call raises `Refusal`, or `Unreachable` after `patience` seconds."""

    def __init__(
        self, base_url: str = "", *, patience: float = PATIENCE, streams: bool = True
    ) -> None:
        """Prepare a client; nothing is called yet.

        base_url: where Parley is; without one, PARLEY_URL says so, or it is on this machine.
        patience: seconds that calls are repeated while nobody answers, or the server asks for time;
        streams: read replies by Server-Sent Events where possible, rather than by long-polls.

        Raises:
            ValueError: base_url is no http(s) URL.
        """
        place = base_url or os.environ.get("PARLEY_URL") or HERE
        self._wire = Wire(place, patience=patience, streams=streams)

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
        """Close idle connections; the client can go on being used."""
        self._wire.close()

    def open(self, **wishes: Unpack[Wishes]) -> Session:
        """Open a session; what is not wished for is the server's default."""
        body = {wish: value for wish, value in wishes.items() if value is not None}
        told = self._wire.call("POST", "/sessions", body=body).body
        return Session(self._wire, told["token"], told)

    def resume(self, token: str) -> Session:
        """Go on with the session that the token opens."""
        session_id, _, secret = token.partition(".")
        if not secret or not session_id.isascii() or not session_id.replace("_", "").isalnum():
            raise Refusal("invalid_token", "This is no token.", status=UNAUTHORIZED)
        session = Session(self._wire, token, {"id": session_id})
        session.refresh()
        return session

    def resume_or_open(self, token: str | None, **wishes: Unpack[Wishes]) -> Session:
        """Go on with the token's session, or open one if it opens none, or none any more.

        Whoever keeps tokens for others, in a cookie for example, keeps `session.token` of it.
        """
        try:
            return self.resume(token or "")
        except Refusal as refusal:
            if not refusal.is_lost:
                raise
            return self.open(**wishes)

    def models(self) -> list[Model]:
        """Return the models that sessions may name."""
        return [Model.of(told) for told in self._wire.call("GET", "/models").body["data"]]
