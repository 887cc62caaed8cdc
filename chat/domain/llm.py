"""Models, prompts and completions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal, NamedTuple, TypeVar

from chat.domain.enums import FinishReason, Role, UsageSource
from chat.domain.files import Part
from chat.domain.prices import Price

N = TypeVar("N", int, float)
# A number that may be 0. Settings readers accept only positive numbers without it.
NonNegative = Annotated[N, "non-negative"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Token counts of one reply."""

    prompt_tokens: int
    completion_tokens: int
    source: UsageSource
    # Prompt tokens that the vendor has read from its cache; 0 if it reports none.
    cached_tokens: int = 0
    # Completion tokens that the model has used to reason; 0 if the vendor reports none.
    reasoning_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


class PromptMessage(NamedTuple):
    """One message of a prompt. A named tuple: a frozen dataclass takes three times as long."""

    role: Role
    content: str
    # Of a message with more than text: all of it. `content` has its text.
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Generation options. `None` uses the model's configuration."""

    # Maximum tokens of the reply.
    max_tokens: int | None = None
    # 0 to 2.
    temperature: float | None = None
    # Above 0, up to 1.
    top_p: float | None = None
    # Texts that end the reply. They are not part of it.
    stop: tuple[str, ...] = ()
    seed: int | None = None
    # Format of the reply, as OpenAI's chat completions have it. Only sent in the `openai` format.
    response_format: Mapping[str, object] | None = None
    # How much a model should reason, such as `low`. Only sent in the `openai` format.
    reasoning_effort: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """The input of one model call."""

    # The conversation in order. It has at most one system message, which comes first.
    messages: Sequence[PromptMessage]
    options: Options = field(default_factory=Options)


class Reasoning(NamedTuple):
    """Activity of the model that is not part of the reply.

    text: the model's reasoning; empty for activity without any text, such as a comment in a stream.
    """

    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """How a model's stream ended, and what it reported about itself."""

    finish_reason: FinishReason
    # `None` if the vendor sent none.
    usage: Usage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Timeouts of one model call, in seconds.

    Every event of a stream counts as activity: text, reasoning, and comments that keep the
    connection alive.
    """

    connect: float = 5.0
    # Limits the time from the request to the first event.
    first_event: float = 60.0
    # Limits the time between two events.
    between_events: float = 30.0
    # Limits the time without text, despite other events. It is never less than the two above.
    without_text: float = 180.0
    total: float = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A configured model: URL, credentials, options and limits."""

    # The name that clients and sessions use.
    name: str
    # `openai`, `completions`, `huggingface`, or the dotted path of a provider class.
    provider: str
    # The vendor's endpoint. The provider appends its path.
    url: str
    # The vendor's name of the model.
    model: str = ""
    # Bearer token; empty sends none.
    token: str = field(default="", repr=False)
    # More headers of the request, such as `api-key`. They replace Parley's own.
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    # How the system prompt is sent; `user` puts it before the first user message.
    system_role: Literal["system", "developer", "user"] = "system"
    # Options that the server rejects; they are never sent.
    drop_options: tuple[str, ...] = ()
    # Whether a reply may start with `<think>...</think>`, which is not part of it. `prefilled`: the
    # chat template writes the opening tag, so that a reply starts inside.
    think_tags: bool | Literal["prefilled"] = False
    # Whether clients get the model's reasoning, and the session keeps it.
    reasoning: Literal["keep", "drop"] = "keep"
    # Whether to stream, so that closing the connection stops the model.
    stream: bool = True
    # What user messages may contain. Images and files need the `openai` format.
    inputs: tuple[str, ...] = ("text",)
    # Whether the server fetches images from `https:` URLs. Parley fetches none.
    image_urls: bool = False
    # Maximum tokens of prompt and reply together. Must exceed `max_tokens`.
    context_tokens: int = 32_768
    # Maximum tokens of a reply. Always sent.
    max_tokens: int = 4096
    # More fields of the request body (Hugging Face: of `parameters`).
    parameters: Mapping[str, object] = field(default_factory=dict)
    # Texts that end every reply.
    stop: tuple[str, ...] = ()
    timeouts: Timeouts = field(default_factory=Timeouts)
    # Maximum pooled connections: as many as a worker has threads.
    pool_size: int = 512
    # TLS verification: true, false, or the path of a CA bundle.
    verify: bool | str = True
    # Maximum calls in flight, for all workers. 0 disables the limit.
    concurrency: NonNegative[int] = 0
    # Maximum calls per minute, for all workers. 0 disables the limit.
    requests_per_minute: NonNegative[int] = 0
    # Maximum tokens per minute, prompts and replies, for all workers. 0 disables the limit.
    tokens_per_minute: NonNegative[int] = 0
    # What its tokens cost; `None` if that is not known. Such calls count as free.
    price: Price | None = None
    # Sent instead of the session's system prompt, which clients may not set then.
    system_prompt: str = ""
    # Options that clients may set, and the maximum of each; `true` for no maximum. `None`: all.
    client_options: Mapping[str, float | bool] | None = None
    # Whether sessions without API key or JWT may use the model.
    allow_anonymous: bool = True
    # Model to use when this one is unavailable.
    fallback: str = ""
