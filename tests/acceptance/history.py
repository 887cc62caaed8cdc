"""What clients asked for and what they were told, kept for the audit."""

import itertools
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

NO_ANSWER = 0
"""The status of a request whose connection ended without an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One request and what came of it."""

    method: str
    path: str
    status: int
    """HTTP's, or `NO_ANSWER`."""
    seconds: float
    retry_after: str | None = None
    body: Any = None
    """The JSON; `None` where there was none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """One try to post a message."""

    session_id: str
    key: str
    content: str
    answer: Answer

    @property
    def is_accepted(self) -> bool:
        """Whether it was answered by 202."""
        return self.answer.status == 202

    @property
    def reply_id(self) -> str:
        """The id of the reply that a 202 promised."""
        assert self.is_accepted, self.answer
        return str(self.answer.body["reply"]["id"])

    @property
    def message_id(self) -> str:
        """The id of the user message that a 202 told of."""
        assert self.is_accepted, self.answer
        return str(self.answer.body["message"]["id"])


@dataclass(slots=True)
class History:
    """All that happened to the clients of one row.

    Many threads write it: by single acts on lists, dicts and counters, which CPython does whole.
    """

    answers: list[Answer] = field(default_factory=list)
    posts: list[Post] = field(default_factory=list)
    ended: set[str] = field(default_factory=set)
    """Sessions that were deleted or have expired, as the row meant them to."""
    told: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    """(session, message) -> the terminal reply as a client saw it first."""
    faults: Counter[str] = field(default_factory=Counter)
    """Content -> faults that hit its turn, each of which may cost another model call."""
    faults_everywhere: int = 0
    """Faults that may have hit any turn."""
    failovers: int = 0
    """Times that a claim may have been rolled back, though the model was asked."""
    servers_were_killed: bool = False
    """Whether requests may have ended without an answer."""
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def unique(self, text: str) -> str:
        """Return `text` with a first word that no other message of the row has."""
        return f"m{next(self._numbers)} {text}"

    def saw(self, session_id: str, messages: list[dict[str, Any]]) -> None:
        """Remember the replies that were terminal when a client saw them."""
        for message in messages:
            if message["role"] == "assistant" and message["status"] not in OPEN:
                self.told.setdefault((session_id, message["id"]), message)

    @property
    def accepted(self) -> list[Post]:
        """The posts that were answered by 202, in sessions that still exist."""
        return [
            post for post in self.posts if post.is_accepted and post.session_id not in self.ended
        ]


OPEN = {"queued", "in_progress"}
"""The states of a reply that is not over."""
