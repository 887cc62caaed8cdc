"""Requests and responses of all clients, recorded for the audit."""

import itertools
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

# The status of a request whose connection ended without a response.
NO_RESPONSE = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One request and its response."""

    method: str
    path: str
    # HTTP status, or `NO_RESPONSE`.
    status: int
    seconds: float
    retry_after: str | None = None
    # JSON, or `None`.
    body: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One attempt to post a message."""

    session_id: str
    key: str
    content: str
    response: Response

    @property
    def is_accepted(self) -> bool:
        return self.response.status == 202

    @property
    def reply_id(self) -> str:
        assert self.is_accepted, self.response
        return str(self.response.body["reply"]["id"])

    @property
    def message_id(self) -> str:
        assert self.is_accepted, self.response
        return str(self.response.body["message"]["id"])


@dataclass(slots=True)
class History:
    """Everything that the clients of one test experienced.

    Many threads write to it, by single operations on lists, dicts and counters. These are atomic in
    CPython.
    """

    responses: list[Response] = field(default_factory=list)
    posts: list[Post] = field(default_factory=list)
    # Sessions that the test deleted or let expire.
    ended_sessions: set[str] = field(default_factory=set)
    # (session, message) -> the terminal reply as a client first received it.
    outcomes: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    # Content -> faults that hit its turn; each may cause one more model call.
    faults: Counter[str] = field(default_factory=Counter)
    # Faults that may have hit any turn.
    global_faults: int = 0
    # How often a claim may have been rolled back after the model was called.
    failovers: int = 0
    # Whether requests may have ended without a response.
    servers_were_killed: bool = False
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def unique(self, text: str) -> str:
        """Return `text` after a word that no other message of the test starts with."""
        return f"m{next(self._numbers)} {text}"

    def record(self, session_id: str, messages: list[dict[str, Any]]) -> None:
        """Record terminal replies that a client received."""
        for message in messages:
            if message["role"] == "assistant" and message["status"] not in OPEN_STATUSES:
                self.outcomes.setdefault((session_id, message["id"]), message)

    @property
    def accepted(self) -> list[Post]:
        """Accepted posts of sessions that still exist."""
        return [
            post
            for post in self.posts
            if post.is_accepted and post.session_id not in self.ended_sessions
        ]


OPEN_STATUSES = {"queued", "in_progress"}
