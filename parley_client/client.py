"""The way in: open a session, or go on with one."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from parley_client.errors import Refusal
from parley_client.messages import Told
from parley_client.session import Session
from parley_client.wire import Wire

PATIENCE = 30.0
"""Seconds; a restart of the server takes a few."""
UNAUTHORIZED = 401


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

    def __init__(self, base_url: str, *, patience: float = PATIENCE, streams: bool = True) -> None:
        """Prepare a client; nothing is called yet.

        patience: seconds that calls are repeated while nobody answers, or the server asks for time;
        streams: read replies by Server-Sent Events where possible, rather than by long-polls.
        """
        self._wire = Wire(base_url, patience=patience, streams=streams)

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

    def open(
        self,
        *,
        name: str = "",
        system_prompt: str | None = None,
        model: str | None = None,
        context: Mapping[str, int] | None = None,
        metadata: Mapping[str, object] | None = None,
        webhook_url: str | None = None,
        ttl: int | None = None,
    ) -> Session:
        """Open a session; what is not given is the server's default. ttl: seconds."""
        wishes = {
            "name": name or None,
            "system_prompt": system_prompt,
            "model": model,
            "context": context,
            "metadata": metadata,
            "webhook_url": webhook_url,
            "ttl": ttl,
        }
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

    def models(self) -> list[Model]:
        """Return the models that sessions may name."""
        return [Model.of(told) for told in self._wire.call("GET", "/models").body["data"]]
