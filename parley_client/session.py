"""One session: posting, reading, changing."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from parley_client.errors import Refusal
from parley_client.follow import Follower
from parley_client.messages import OPEN, Message
from parley_client.reply import Reply
from parley_client.wire import Answer, Wire


class Session:
    """A session and the token that opens it.

    Every method that calls the server raises `Refusal` or `Unreachable`.
    """

    def __init__(self, wire: Wire, token: str, told: Mapping[str, Any]) -> None:
        self.token = token
        self._wire = wire
        self._told = told

    @property
    def id(self) -> str:
        """The session's id."""
        return str(self._told["id"])

    @property
    def name(self) -> str:
        """As last told; so are the next ones. `refresh` asks."""
        return str(self._told["name"])

    @property
    def model(self) -> str:
        """Name of the model that is asked."""
        return str(self._told["model"])

    @property
    def system_prompt(self) -> str | None:
        """What the model is told before the conversation."""
        prompt: str | None = self._told["system_prompt"]
        return prompt

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The owner's own object."""
        metadata: Mapping[str, Any] = self._told["metadata"]
        return metadata

    @property
    def expires_at(self) -> float:
        """Seconds since the epoch, if nothing more happens."""
        return float(self._told["expires_at"])

    def send(
        self,
        content: str,
        *,
        on_busy: str = "enqueue",
        options: Mapping[str, object] | None = None,
        deadline: float | None = None,
    ) -> Reply:
        """Post a message; return its reply, which is yet to be written.

        on_busy: enqueue, reject or interrupt, for when another reply is not over yet. options:
        max_tokens, temperature, top_p, stop, seed. deadline: seconds.
        """
        body: dict[str, object] = {"content": content, "on_busy": on_busy}
        if options is not None:
            body["options"] = options
        if deadline is not None:
            body["deadline"] = deadline
        return self._reply(self._call("POST", "/messages", body))

    def regenerate(self, message_id: str, *, options: Mapping[str, object] | None = None) -> Reply:
        """Ask for another reply to the session's last message, by its id or its reply's."""
        body = {} if options is None else {"options": options}
        return self._reply(self._call("POST", f"{_path(message_id)}/regenerate", body))

    def cancel(self, message_id: str) -> Message:
        """End a reply early; return it as it is now, which may be still `in_progress`."""
        return Message.of(self._call("POST", f"{_path(message_id)}/cancel", {}).body)

    def rate(self, message_id: str, rating: str | None, comment: str = "") -> Message:
        """Say what you think of a reply that is over, up or down, or take it back by `None`."""
        path = f"{_path(message_id)}/feedback"
        if rating is None:
            return Message.of(self._call("DELETE", path).body)
        return Message.of(self._call("POST", path, {"rating": rating, "comment": comment}).body)

    def message(self, message_id: str) -> Message:
        """Return one message."""
        return Message.of(self._call("GET", _path(message_id)).body)

    def reply(self, message_id: str) -> Reply:
        """Return a reply that was asked for before, to be read on, or again."""
        return Reply(self, self.message(message_id))

    def open_replies(self) -> list[Reply]:
        """Return the replies that are queued or being written, in order."""
        messages = map(Message.of, self.refresh()["messages"])
        return [Reply(self, message) for message in messages if message.status in OPEN]

    def history(self, *, newest_first: bool = False) -> Iterator[Message]:
        """Yield all messages, page by page."""
        order = "desc" if newest_first else "asc"
        onward = "before" if newest_first else "after"
        params: dict[str, str | float] = {"order": order}
        more = True
        while more:
            page = self._call("GET", "/messages", params=params).body
            yield from map(Message.of, page["data"])
            params[onward], more = page["last_id"], page["has_more"]

    def refresh(self) -> Mapping[str, Any]:
        """Ask for the session as it is now; return all that is told of it."""
        self._told = self._call("GET", "").body
        return self._told

    def change(self, **changes: object) -> None:
        """Change name, system_prompt, model, context, metadata, webhook_url or ttl.

        `None` is the default.
        """
        self._told = self._call("PATCH", "", changes).body

    def reset(self) -> None:
        """Cancel what is open and clear the history; the session and its token stay."""
        self._told = self._call("POST", "/reset", {}).body

    def renew_token(self) -> str:
        """Get a new token and a new expiry; the old token dies."""
        self.token = str(self._call("POST", "/token", {}).body["token"])
        return self.token

    def delete(self) -> None:
        """Remove every trace of the session, if there is one left."""
        try:
            self._call("DELETE", "")
        except Refusal as refusal:
            if refusal.code != "session_not_found":
                raise

    def follower(self, cursor: int) -> Follower:
        """Return what follows the session from that seq on."""
        return Follower(self._wire, self.id, self.token, cursor)

    def _reply(self, accepted: Answer) -> Reply:
        message = Message.of(accepted.body["reply"])
        return Reply(self, message, request_id=accepted.request_id)

    def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        *,
        params: Mapping[str, str | float] | None = None,
    ) -> Answer:
        path = f"/sessions/{self.id}{path}"
        return self._wire.call(method, path, token=self.token, body=body, params=params)


def _path(message_id: str) -> str:
    return f"/messages/{quote(message_id, safe='')}"
