"""One session: post messages, read history, change settings."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any
from urllib.parse import quote

from parley_client.errors import APIStatusError
from parley_client.messages import ACTIVE_STATUSES, Message
from parley_client.reply import Reply
from parley_client.stream import Subscription
from parley_client.transport import APIResponse, Transport

# The newest messages among which all active replies are, with the default limits of the server.
MAX_ACTIVE_MESSAGES = 100


class Session:
    """A session and its token.

    Properties return the latest known state; `refresh` fetches it. Methods that call the server
    raise `APIStatusError` or `APIConnectionError`.
    """

    def __init__(self, transport: Transport, token: str, fields: Mapping[str, Any]) -> None:
        self.token = token
        self._transport = transport
        self._fields = fields

    @property
    def id(self) -> str:
        return str(self._fields["id"])

    @property
    def name(self) -> str:
        return str(self._fields["name"])

    @property
    def model(self) -> str:
        return str(self._fields["model"])

    @property
    def system_prompt(self) -> str | None:
        prompt: str | None = self._fields["system_prompt"]
        return prompt

    @property
    def metadata(self) -> Mapping[str, Any]:
        metadata: Mapping[str, Any] = self._fields["metadata"]
        return metadata

    @property
    def expires_at(self) -> float:
        """Seconds since the epoch; each activity extends it."""
        return float(self._fields["expires_at"])

    def send(
        self,
        content: str,
        *,
        on_busy: str = "enqueue",
        options: Mapping[str, object] | None = None,
        deadline: float | None = None,
    ) -> Reply:
        """Post a message and return its reply without waiting for it.

        on_busy: enqueue, reject or interrupt; applies while another reply has not ended.
        options: max_tokens, temperature, top_p, stop, seed.
        deadline: seconds until the turn expires.
        """
        body: dict[str, object] = {"content": content, "on_busy": on_busy}
        if options is not None:
            body["options"] = options
        if deadline is not None:
            body["deadline"] = deadline
        return self._new_reply(self._request("POST", "/messages", body))

    def regenerate(self, message_id: str, *, options: Mapping[str, object] | None = None) -> Reply:
        """Request another reply to the last message, given its id or the id of its reply."""
        body = {} if options is None else {"options": options}
        return self._new_reply(self._request("POST", f"{_path(message_id)}/regenerate", body))

    def cancel(self, message_id: str) -> Message:
        """Cancel a reply; return its current state, which may still be `in_progress`."""
        return Message.from_json(self._request("POST", f"{_path(message_id)}/cancel", {}).body)

    def rate(self, message_id: str, rating: str | None, comment: str = "") -> Message:
        """Rate an ended reply "up" or "down"; `None` removes the rating."""
        path = f"{_path(message_id)}/feedback"
        if rating is None:
            return Message.from_json(self._request("DELETE", path).body)
        body = {"rating": rating, "comment": comment}
        return Message.from_json(self._request("POST", path, body).body)

    def message(self, message_id: str) -> Message:
        """Fetch one message."""
        return Message.from_json(self._request("GET", _path(message_id)).body)

    def reply(self, message_id: str) -> Reply:
        """Return an existing reply, to read it or the rest of it."""
        return Reply(self, self.message(message_id))

    def active_replies(self) -> list[Reply]:
        """Return the replies that are queued or in progress, oldest first."""
        snapshot = self.refresh()
        messages = list(map(Message.from_json, snapshot["messages"]))
        if snapshot["has_more"] and snapshot["status"] != "idle":
            # A snapshot of large messages has only a few of them.
            messages = list(islice(self.history(newest_first=True), MAX_ACTIVE_MESSAGES))[::-1]
        return [Reply(self, message) for message in messages if message.status in ACTIVE_STATUSES]

    def history(self, *, newest_first: bool = False) -> Iterator[Message]:
        """Yield all messages; fetches one page at a time."""
        order = "desc" if newest_first else "asc"
        cursor = "before" if newest_first else "after"
        params: dict[str, str | float] = {"order": order}
        has_more = True
        while has_more:
            page = self._request("GET", "/messages", params=params).body
            yield from map(Message.from_json, page["data"])
            params[cursor], has_more = page["last_id"], page["has_more"]

    def refresh(self) -> Mapping[str, Any]:
        """Fetch the session and return all fields of its snapshot."""
        self._fields = self._request("GET", "").body
        return self._fields

    def update(self, **changes: object) -> None:
        """Update name, system_prompt, model, context, metadata, webhook_url or ttl.

        `None` removes system_prompt and webhook_url, and resets model to the default. The other
        fields reject it.
        """
        self._fields = self._request("PATCH", "", changes).body

    def reset(self) -> None:
        """Cancel active replies and clear the history. The session and its token remain valid."""
        self._fields = self._request("POST", "/reset", {}).body

    def rotate_token(self) -> str:
        """Replace the token and extend the expiry. The old token stops working."""
        self.token = str(self._request("POST", "/token", {}).body["token"])
        return self.token

    def delete(self) -> None:
        """Delete the session and all its data; does nothing if it no longer exists."""
        try:
            self._request("DELETE", "")
        except APIStatusError as error:
            if error.code != "session_not_found":
                raise

    def subscribe(self, after: int) -> Subscription:
        """Return a subscription to the updates after this seq."""
        return Subscription(self._transport, self.id, self.token, after)

    def _new_reply(self, accepted: APIResponse) -> Reply:
        message = Message.from_json(accepted.body["reply"])
        return Reply(self, message, request_id=accepted.request_id)

    def _request(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        *,
        params: Mapping[str, str | float] | None = None,
    ) -> APIResponse:
        path = f"/sessions/{self.id}{path}"
        return self._transport.request(method, path, token=self.token, body=body, params=params)


def _path(message_id: str) -> str:
    return f"/messages/{quote(message_id, safe='')}"
