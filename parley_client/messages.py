"""Messages as Parley tells them."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, Self

Role = Literal["system", "user", "assistant"]
Status = Literal[
    "queued", "in_progress", "completed", "incomplete", "failed", "cancelled", "expired"
]
OPEN = frozenset({"queued", "in_progress"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Members of a JSON object; those that this client does not know are left out."""

    @classmethod
    def of(cls, members: Mapping[str, Any]) -> Self:
        """Return the object's known members."""
        return cls(**{field.name: members[field.name] for field in fields(cls)})

    @classmethod
    def maybe(cls, members: Mapping[str, Any] | None) -> Self | None:
        """Return the same, or `None` for JSON's null."""
        return None if members is None else cls.of(members)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage(Told):
    """Tokens that a reply took."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    source: Literal["provider", "estimated"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure(Told):
    """Why a reply failed, or the last attempt at it."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait(Told):
    """Why a queued reply is not being written yet."""

    reason: Literal["queue", "rate_limited", "model_loading"]
    retry_at: float | None
    """Seconds since the epoch."""
    position: int
    """Turns of the session before this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback(Told):
    """What the session's owner thinks of a reply."""

    rating: Literal["up", "down"]
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message(Told):
    """One message; times are seconds since the epoch, UTC."""

    id: str
    role: Role
    content: str
    """Of a reply that is being written: its text so far."""
    status: Status
    seq: int
    """Number of the event that changed it last."""
    created_at: float
    started_at: float | None
    completed_at: float | None
    reply_to: str | None
    """Id of the user message."""
    attempt: int
    model: str | None
    finish_reason: Literal["stop", "length", "content_filter", "cancelled", "error"] | None
    usage: Usage | None
    error: Failure | None
    wait: Wait | None
    feedback: Feedback | None

    @classmethod
    def of(cls, members: Mapping[str, Any]) -> Self:
        """Return the message that JSON tells of."""
        nested = {
            "usage": Usage.maybe(members["usage"]),
            "error": Failure.maybe(members["error"]),
            "wait": Wait.maybe(members["wait"]),
            "feedback": Feedback.maybe(members["feedback"]),
        }
        return super(Message, cls).of({**members, **nested})

    @property
    def is_final(self) -> bool:
        """True when nothing will ever change the message again."""
        return self.status not in OPEN
