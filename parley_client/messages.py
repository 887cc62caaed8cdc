"""Messages and their parts."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, Literal, Self

Role = Literal["system", "user", "assistant"]
Status = Literal[
    "queued", "in_progress", "completed", "incomplete", "failed", "cancelled", "expired"
]
ACTIVE_STATUSES = frozenset({"queued", "in_progress"})


@dataclass(frozen=True, slots=True, kw_only=True)
class APIObject:
    """A JSON object of the API. Members that this client does not know are ignored."""

    @classmethod
    def from_json(cls, members: Mapping[str, Any]) -> Self:
        optional = {field.name for field in fields(cls) if field.default is not MISSING}
        names = {field.name for field in fields(cls)} - (optional - members.keys())
        return cls(**{name: members[name] for name in names})

    @classmethod
    def from_json_or_none(cls, members: Mapping[str, Any] | None) -> Self | None:
        return None if members is None else cls.from_json(members)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage(APIObject):
    """Token counts of a reply."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    source: Literal["provider", "estimated"]
    # Prompt tokens that the vendor has read from its cache.
    cached_tokens: int = 0
    # Completion tokens that the model has used to reason.
    reasoning_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorDetail(APIObject):
    """Why a reply, or its latest attempt, failed."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait(APIObject):
    """Why a queued reply has not started."""

    reason: Literal["queue", "own_share", "circuit", "rate_limited", "model_loading"]
    # Seconds since the epoch.
    retry_at: float | None
    # Number of sessions that call the model before this one, at most.
    ahead: int = 0
    # Number of turns of the session ahead of this one.
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback(APIObject):
    """A user's rating of a reply."""

    rating: Literal["up", "down"]
    comment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Item(APIObject):
    """A part of a reply."""

    type: Literal["reasoning", "text"]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Message(APIObject):
    """One message. Times are seconds since the epoch, UTC."""

    id: str
    role: Role
    # The partial text while a reply is in progress.
    content: str
    status: Status
    # Number of the last event that changed the message.
    seq: int
    created_at: float
    started_at: float | None
    completed_at: float | None
    # Id of the user message that a reply answers.
    reply_to: str | None
    # Number of attempts at the reply, from 1.
    attempt: int
    model: str | None
    finish_reason: Literal["stop", "length", "content_filter", "cancelled", "error"] | None
    usage: Usage | None
    error: ErrorDetail | None
    wait: Wait | None
    feedback: Feedback | None
    # Id of the user message that this one is an edited version of.
    replaces: str | None = None
    # Of a reply with reasoning: what the model has sent, in order. Empty in events.
    items: tuple[Item, ...] = ()

    @classmethod
    def from_json(cls, members: Mapping[str, Any]) -> Self:
        nested = {
            "usage": Usage.from_json_or_none(members["usage"]),
            "error": ErrorDetail.from_json_or_none(members["error"]),
            "wait": Wait.from_json_or_none(members["wait"]),
            "feedback": Feedback.from_json_or_none(members["feedback"]),
            "items": tuple(map(Item.from_json, members.get("items", ()))),
        }
        return super(Message, cls).from_json({**members, **nested})

    @property
    def reasoning(self) -> str:
        """The reasoning among the items."""
        return "".join(item.text for item in self.items if item.type == "reasoning")

    @property
    def has_ended(self) -> bool:
        """Whether the turn is over: the message is neither queued nor in progress."""
        return self.status not in ACTIVE_STATUSES
