"""An HTTP client of one session that records every response for the audit."""

import secrets
import time
from http import HTTPStatus
from typing import Any

import requests

from tests.acceptance.history import NO_RESPONSE, OPEN_STATUSES, History, Post, Response
from tests.harness.wait import wait_until

# Seconds. Long, because tests measure the duration of requests themselves.
REQUEST_TIMEOUT = 60.0
# Seconds between two polls. Tests use the times in the messages, not the time of the poll.
POLL_INTERVAL = 0.04


class Client:
    def __init__(
        self,
        url: str,
        history: History,
        *,
        session_id: str = "",
        token: str = "",
        address: str = "",
    ) -> None:
        """address: of the client, as a trusted proxy reports it."""
        self.url = url
        self.history = history
        self.session_id = session_id
        self.token = token
        self._headers = {"X-Forwarded-For": address} if address else {}

    def open(self, **fields: Any) -> "Client":
        """Create this client's session."""
        response = self.call("POST", "/sessions", fields)
        assert response.status == 201, response
        self.session_id, self.token = response.body["id"], response.body["token"]
        return self

    def clone(self) -> "Client":
        """Return another client of the same session."""
        return Client(self.url, self.history, session_id=self.session_id, token=self.token)

    def try_to_post(self, text: str, *, key: str = "", **fields: Any) -> Post:
        """Post a message with an idempotency key; any response is allowed.

        With the `key` of an earlier post, `text` must be that post's complete content.
        """
        content = text if key else self.history.unique(text)
        key = key or secrets.token_hex(8)
        response = self.call(
            "POST", "/messages", {"content": content, **fields}, {"Idempotency-Key": key}
        )
        post = Post(session_id=self.session_id, key=key, content=content, response=response)
        self.history.posts.append(post)
        return post

    def post(self, text: str, **fields: Any) -> Post:
        """Post a message; fail unless it is accepted."""
        post = self.try_to_post(text, **fields)
        assert post.is_accepted, post
        return post

    def repeat(self, post: Post) -> Post:
        """Post the same message again with the same key."""
        return self.try_to_post(post.content, key=post.key)

    def post_until_answered(self, content: str, *, key: str, within: float = 30.0) -> Post:
        """Post a message; repeat it with the same key while storage is unavailable.

        Redis can take longer than `CHAT_STORE_TIMEOUT` on a machine with many busy processes.
        """
        deadline = time.monotonic() + within
        while True:
            post = self.try_to_post(content, key=key)
            if post.response.status != HTTPStatus.SERVICE_UNAVAILABLE:
                return post
            assert time.monotonic() < deadline, post
            time.sleep(POLL_INTERVAL)

    def post_until_accepted(self, post: Post, *, within: float = 30.0) -> Post:
        """Repeat the post with the same key until it is accepted."""
        attempts: list[Post] = []

        def is_accepted() -> bool:
            attempts.append(self.repeat(post))
            return attempts[-1].is_accepted

        wait_until(is_accepted, within=within, every=POLL_INTERVAL)
        return attempts[-1]

    def messages(self) -> list[dict[str, Any]]:
        """Return the session's messages, or an empty list if the request failed."""
        response = self.call("GET", f"/sessions/{self.session_id}")
        if response.status != 200:
            return []
        messages: list[dict[str, Any]] = response.body["messages"]
        self.history.record(self.session_id, messages)
        return messages

    def reply(self, post: Post) -> dict[str, Any]:
        """Return the current reply to a post, or an empty dict if the request failed."""
        response = self.call("GET", f"/sessions/{self.session_id}/messages/{post.reply_id}")
        if response.status != 200:
            return {}
        reply: dict[str, Any] = response.body
        self.history.record(self.session_id, [reply])
        return reply

    def wait_for_reply(self, post: Post, *statuses: str, within: float = 30.0) -> dict[str, Any]:
        """Return the reply once it has one of `statuses`, by default a terminal one."""

        def reply() -> dict[str, Any] | None:
            found = self.reply(post)
            status = found.get("status", "queued")
            return (
                found if (status in statuses if statuses else status not in OPEN_STATUSES) else None
            )

        found = wait_until(reply, within=within, every=POLL_INTERVAL)
        assert found is not None
        return found

    def wait_until_waiting(
        self, post: Post, reason: str, *, within: float = 30.0
    ) -> dict[str, Any]:
        """Return the reply's `wait` once it has this reason."""

        def wait() -> dict[str, Any] | None:
            found: dict[str, Any] = self.reply(post).get("wait") or {}
            return found if found.get("reason") == reason else None

        found = wait_until(wait, within=within, every=POLL_INTERVAL)
        assert found is not None
        return found

    def wait_for_text(self, post: Post, *, within: float = 30.0) -> str:
        """Return the partial text of the reply once there is any."""
        return wait_until(
            lambda: str(self.reply(post).get("content", "")), within=within, every=POLL_INTERVAL
        )

    def cancel(self, post: Post) -> Response:
        return self.call("POST", f"/sessions/{self.session_id}/messages/{post.reply_id}/cancel", {})

    def delete(self) -> Response:
        response = self.call("DELETE", f"/sessions/{self.session_id}")
        self.history.ended_sessions.add(self.session_id)
        return response

    def call(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Response:
        """Send a request and record the response."""
        authorization = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        start = time.monotonic()
        try:
            http_response = requests.request(
                method,
                self.url + path,
                json=body,
                headers=self._headers | authorization | (headers or {}),
                timeout=REQUEST_TIMEOUT,
            )
        except requests.RequestException:
            response = Response(
                method=method, path=path, status=NO_RESPONSE, seconds=time.monotonic() - start
            )
        else:
            response = Response(
                method=method,
                path=path,
                status=http_response.status_code,
                seconds=time.monotonic() - start,
                retry_after=http_response.headers.get("Retry-After"),
                body=_json(http_response),
            )
        self.history.responses.append(response)
        return response


def _json(response: requests.Response) -> Any:
    is_json = response.headers.get("Content-Type", "").startswith("application/json")
    return response.json() if is_json and response.content else None
