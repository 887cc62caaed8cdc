"""What OpenAI's two formats share: request fields, `choices`, finish reasons, usage."""

from collections.abc import Callable, Iterator, Mapping

from chat.domain import Completion, FinishReason, Model, Options, Usage, UsageSource
from chat.domain.errors import ConfigError, ModelInvalidResponse
from chat.providers import errors
from chat.providers.base import StreamItem
from chat.providers.json_access import get_path, get_token_count, parse
from chat.providers.transport import ModelResponse

DONE = b"[DONE]"

# Any other finish reason (an error, a tool that was never offered) does not complete a reply.
FINISH_REASONS = {
    "stop": FinishReason.STOP,
    "eos": FinishReason.STOP,
    "eos_token": FinishReason.STOP,  # TGI
    "stop_sequence": FinishReason.STOP,  # TGI
    "length": FinishReason.LENGTH,
    "model_length": FinishReason.LENGTH,  # Mistral
    "content_filter": FinishReason.CONTENT_FILTER,
}

GetText = Callable[[object], str]

_RESERVED = {
    *("messages", "prompt", "inputs", "model", "stream", "max_tokens", "n", "tools", "functions"),
}
_NEW_MAX_TOKENS = "max_completion_tokens"


def check_parameters(model: Model) -> None:
    """Reject `parameters` that Parley sets itself, or whose responses it could not read.

    Raises:
        ConfigError: it names the parameter.
    """
    if clash := sorted(_RESERVED & model.parameters.keys()):
        raise ConfigError(f"model {model.name}: parameters must not contain {clash[0]!r}")


def request_body(model: Model, options: Options, *stops: str) -> dict[str, object]:
    """Return the request's body without the prompt.

    The model's `parameters` are defaults for the options. OpenAI's reasoning models require the
    name `max_completion_tokens`; including it in `parameters` selects that name. Mistral rejects
    `stream_options`; setting it to false in `parameters` omits it.
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
        body["stop"] = all_stops
    body |= {name: value for name, value in _sampling(options).items() if value is not None}
    return body


def _sampling(options: Options) -> Mapping[str, float | None]:
    return {"temperature": options.temperature, "top_p": options.top_p, "seed": options.seed}


def read_response(
    response: ModelResponse, model: str, *, streamed: GetText, whole: GetText
) -> Iterator[StreamItem]:
    """Yield the items of the first choice: one for each event, or one for a JSON document.

    `streamed` returns the text of an event's choice, `whole` that of a document's choice.

    Raises:
        ModelInvalidResponse: the finish reason or the end marker is missing, or the response has
            another format.
        ProviderError: the response contains an error object.
    """
    if response.is_stream:
        return _read_stream(response, model, streamed)
    return _read_document(response, model, whole)


def _read_stream(response: ModelResponse, model: str, get_text: GetText) -> Iterator[StreamItem]:
    reason: object = None
    usage: Usage | None = None
    for data in response.events():
        if data == DONE:
            response.drain()
            yield "", _completion(reason, usage)
            return
        chunk = parse(data)
        choice = _first_choice(chunk, model)
        usage = _usage(get_path(chunk, "usage")) or usage
        reason = get_path(choice, "finish_reason") or reason
        yield get_text(choice), None
    raise ModelInvalidResponse("The model's reply ended unexpectedly.")


def _read_document(response: ModelResponse, model: str, get_text: GetText) -> Iterator[StreamItem]:
    document = response.document()
    choice = _first_choice(document, model)
    usage = _usage(get_path(document, "usage"))
    yield get_text(choice), _completion(get_path(choice, "finish_reason"), usage)


def _first_choice(document: object, model: str) -> object:
    """Return `None` if there is no choice, as in the chunk with the usage."""
    if not isinstance(document, dict):
        raise ModelInvalidResponse
    if document.get("error") or document.get("object") == "error":
        raise errors.from_event(model, document)
    return get_path(document, "choices", 0)


def _completion(reason: object, usage: Usage | None) -> Completion:
    if not isinstance(reason, str) or reason not in FINISH_REASONS:
        raise ModelInvalidResponse("The model sent no valid finish reason.")
    return Completion(finish_reason=FINISH_REASONS[reason], usage=usage)


def _usage(counts: object) -> Usage | None:
    if counts is None:  # in all chunks except one
        return None
    prompt = get_token_count(counts, "prompt_tokens")
    completion = get_token_count(counts, "completion_tokens")
    if prompt is None or completion is None:
        return None
    return Usage(prompt_tokens=prompt, completion_tokens=completion, source=UsageSource.PROVIDER)
