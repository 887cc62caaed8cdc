"""What the requests of OpenAI's two formats share."""

from collections.abc import Mapping

from chat.domain import Model, Options
from chat.domain.errors import ConfigError
from chat.providers.base import check_drop_options

# Stop sequences that OpenAI accepts. Parley cuts the reply at the others.
MAX_STOPS = 4

# Fields that Parley sets, or whose responses it could not read.
_RESERVED = {
    "messages",
    "prompt",
    "inputs",
    "model",
    "stream",
    "max_tokens",
    "n",
    "tools",
    "functions",
}
_NEW_MAX_TOKENS = "max_completion_tokens"
# Fields that a model's `drop_options` can name.
_DROPPABLE = {
    "max_tokens",
    "temperature",
    "top_p",
    "stop",
    "seed",
    "stream_options",
    "response_format",
    "reasoning_effort",
}


def check_parameters(model: Model) -> None:
    """Check the fields of the request that the model's configuration adds or drops.

    Raises:
        ConfigError: it names the field.
    """
    if clash := sorted(_RESERVED & model.parameters.keys()):
        raise ConfigError(f"model {model.name}: parameters must not contain {clash[0]!r}")
    check_drop_options(model, _DROPPABLE)


def request_body(model: Model, options: Options, *stops: str) -> dict[str, object]:
    """Return the request's body without the prompt.

    The model's `parameters` are defaults for the options. OpenAI's reasoning models require the
    name `max_completion_tokens`; including it in `parameters` selects that name. Mistral rejects
    `stream_options`; setting it to false in `parameters` omits it.

    stops: texts that end the reply in addition to those of the model and the options. Only the
    first `MAX_STOPS` are sent.
    """
    body: dict[str, object] = {"stream_options": {"include_usage": True}} if model.stream else {}
    body |= model.parameters
    if not body.get("stream_options"):
        body.pop("stream_options", None)
    max_tokens = _NEW_MAX_TOKENS if _NEW_MAX_TOKENS in body else "max_tokens"
    body |= {
        "model": model.model,
        "stream": model.stream,
        max_tokens: min(options.max_tokens or model.max_tokens, model.max_tokens),
    }
    if all_stops := stops + model.stop + options.stop:
        body["stop"] = all_stops[:MAX_STOPS]
    body |= {name: value for name, value in _sampling(options).items() if value is not None}
    for name in model.drop_options:
        body.pop(max_tokens if name == "max_tokens" else name, None)
    return body


def chat_options(model: Model, options: Options) -> dict[str, object]:
    """Return the options that only chat completions have."""
    values = {
        "response_format": options.response_format,
        "reasoning_effort": options.reasoning_effort,
    }
    return {
        name: value
        for name, value in values.items()
        if value is not None and name not in model.drop_options
    }


def _sampling(options: Options) -> Mapping[str, float | None]:
    return {"temperature": options.temperature, "top_p": options.top_p, "seed": options.seed}
