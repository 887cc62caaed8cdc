"""One client of one session, over HTTP, whose every answer is kept for the audit."""

import secrets
import time
from typing import Any

import requests

from tests.acceptance.history import NO_ANSWER, OPEN, Answer, History, Post
from tests.harness.wait import wait_until

PATIENCE = 60.0
"""Seconds for one request; what the rows demand is measured, not enforced, by the client."""
POLL = 0.04
"""Seconds between two requests that look for a change; times are taken from the messages."""


class Client:
    """Posts, reads and remembers."""

    def __init__(
        self, url: str, history: History, *, session_id: str = "", token: str = ""
    ) -> None:
        self.url = url
        self.history = history
        self.session_id = session_id
        self.token = token

    def open(self, **fields: Any) -> "Client":
        """Open the session that this client talks in."""
        answer = self.call("POST", "/sessions", fields)
        assert answer.status == 201, answer
        self.session_id, self.token = answer.body["id"], answer.body["token"]
        return self

    def twin(self) -> "Client":
        """Return another client of the same session."""
        return Client(self.url, self.history, session_id=self.session_id, token=self.token)

    def try_to_post(self, text: str, *, key: str = "", **fields: Any) -> Post:
        """Post a message with an idempotency key, whatever the answer is.

        With a `key` of an earlier post `text` must be that post's whole content.
        """
        content = text if key else self.history.unique(text)
        key = key or secrets.token_hex(8)
        answer = self.call(
            "POST", "/messages", {"content": content, **fields}, {"Idempotency-Key": key}
        )
        post = Post(session_id=self.session_id, key=key, content=content, answer=answer)
        self.history.posts.append(post)
        return post

    def post(self, text: str, **fields: Any) -> Post:
        """Post a message that must be accepted."""
        post = self.try_to_post(text, **fields)
        assert post.is_accepted, post
        return post

    def post_again(self, post: Post) -> Post:
        """Post the same message with the same key."""
        return self.try_to_post(post.content, key=post.key)

    def insist(self, post: Post, *, within: float = 30.0) -> Post:
        """Post the same message with the same key until it is accepted."""
        found: list[Post] = []

        def is_accepted() -> bool:
            found.append(self.post_again(post))
            return found[-1].is_accepted

        wait_until(is_accepted, within=within, every=POLL)
        return found[-1]

    def messages(self) -> list[dict[str, Any]]:
        """Return the session's messages; none when no answer could be had."""
        answer = self.call("GET", f"/sessions/{self.session_id}")
        if answer.status != 200:
            return []
        messages: list[dict[str, Any]] = answer.body["messages"]
        self.history.saw(self.session_id, messages)
        return messages

    def reply(self, post: Post) -> dict[str, Any]:
        """Return the reply to a post as it stands; empty when no answer could be had."""
        answer = self.call("GET", f"/sessions/{self.session_id}/messages/{post.reply_id}")
        if answer.status != 200:
            return {}
        reply: dict[str, Any] = answer.body
        self.history.saw(self.session_id, [reply])
        return reply

    def reply_in(self, post: Post, *statuses: str, within: float = 30.0) -> dict[str, Any]:
        """Return the reply once it has one of these statuses; of none, once it is over."""

        def reply() -> dict[str, Any] | None:
            found = self.reply(post)
            status = found.get("status", "queued")
            return found if (status in statuses if statuses else status not in OPEN) else None

        found = wait_until(reply, within=within, every=POLL)
        assert found is not None
        return found

    def waits_for(self, post: Post, reason: str, *, within: float = 30.0) -> dict[str, Any]:
        """Return what the reply says about its waiting, once it waits for this reason."""

        def wait() -> dict[str, Any] | None:
            found: dict[str, Any] = self.reply(post).get("wait") or {}
            return found if found.get("reason") == reason else None

        found = wait_until(wait, within=within, every=POLL)
        assert found is not None
        return found

    def said(self, post: Post, *, within: float = 30.0) -> str:
        """Return the beginning of the reply once there is any."""
        return wait_until(
            lambda: str(self.reply(post).get("content", "")), within=within, every=POLL
        )

    def cancel(self, post: Post) -> Answer:
        """Cancel the turn of a post."""
        return self.call("POST", f"/sessions/{self.session_id}/messages/{post.reply_id}/cancel", {})

    def delete(self) -> Answer:
        """Delete the session."""
        answer = self.call("DELETE", f"/sessions/{self.session_id}")
        self.history.ended.add(self.session_id)
        return answer

    def call(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """Send a request and keep what came of it."""
        own = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        started = time.monotonic()
        try:
            response = requests.request(
                method, self.url + path, json=body, headers=own | (headers or {}), timeout=PATIENCE
            )
        except requests.RequestException:
            answer = Answer(
                method=method, path=path, status=NO_ANSWER, seconds=time.monotonic() - started
            )
        else:
            answer = Answer(
                method=method,
                path=path,
                status=response.status_code,
                seconds=time.monotonic() - started,
                retry_after=response.headers.get("Retry-After"),
                body=_json(response),
            )
        self.history.answers.append(answer)
        return answer


def _json(response: requests.Response) -> Any:
    is_json = response.headers.get("Content-Type", "").startswith("application/json")
    return response.json() if is_json and response.content else None
