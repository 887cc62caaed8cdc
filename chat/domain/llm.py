"""Models, and what they are asked and answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, NamedTuple, TypeVar

from chat.domain.enums import FinishReason, Role, UsageSource

N = TypeVar("N", int, float)
# A number that may be 0. Settings readers accept only positive numbers without it.
NonNegative = Annotated[N, "non-negative"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens that one reply took."""

    prompt_tokens: int
    completion_tokens: int
    source: UsageSource

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


class PromptMessage(NamedTuple):
    """One message as the model is shown it; made in a third of a frozen dataclass's time."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a model is asked to write; `None` leaves the choice to the model's own settings."""

    # Most tokens of the reply.
    max_tokens: int | None = None
    # 0 to 2.
    temperature: float | None = None
    # Above 0, up to 1.
    top_p: float | None = None
    # Texts at which the reply ends; they are not part of it.
    stop: tuple[str, ...] = ()
    seed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What a model is asked in one call."""

    # In order; at most one system message, and it stands first.
    messages: Sequence[PromptMessage]
    options: Options = field(default_factory=Options)


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """How a model's stream ended, and what it reported about itself."""

    finish_reason: FinishReason
    # `None` when the vendor sent no count.
    usage: Usage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Bounds on one model call, in seconds, each more than 0."""

    connect: float = 5.0
    # From sending the request to the first text.
    first_delta: float = 60.0
    between_deltas: float = 30.0
    total: float = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A named entry of the settings: whom to ask, how, and within which limits."""

    # The name that clients and sessions use.
    name: str
    # `openai`, `completions`, `huggingface`, or the dotted path of a provider's class.
    provider: str
    # The vendor's endpoint; see the provider for what it appends.
    url: str
    # The vendor's own name of the model.
    model: str = ""
    # Sent as a bearer token; empty sends none.
    token: str = field(default="", repr=False)
    # Ask for the reply piece by piece, so that closing the stream stops the model.
    stream: bool = True
    # Most tokens of prompt and reply together; more than `max_tokens`.
    context_tokens: int = 8192
    # Most tokens of a reply; always sent.
    max_tokens: int = 1024
    # Further fields of the vendor's request body (Hugging Face: of its own `parameters`).
    parameters: Mapping[str, object] = field(default_factory=dict)
    # Texts at which every reply ends.
    stop: tuple[str, ...] = ()
    timeouts: Timeouts = field(default_factory=Timeouts)
    # Most pooled connections; as many as a worker has threads.
    pool_size: int = 512
    # Check the vendor's certificate: true, false, or the path of a CA bundle.
    verify: bool | str = True
    # Most calls in flight over all workers; 0 sets no bound.
    concurrency: NonNegative[int] = 0
    # Most calls a minute over all workers; 0 sets no bound.
    requests_per_minute: NonNegative[int] = 0
    # Most tokens a minute over all workers, prompts and replies; 0 sets no bound.
    tokens_per_minute: NonNegative[int] = 0
    # Name of the model that answers when this one cannot.
    fallback: str = ""
