"""Hugging Face text generation: the tutorial's request, and TGI's `generate_stream`.

`url` is called unchanged: a model's own endpoint, or TGI's `/generate` or `/generate_stream`.
"""

from collections.abc import Iterator

from chat.domain import Completion, FinishReason, Model, Options, Prompt, Usage, UsageSource
from chat.domain.errors import ConfigError, ModelInvalidResponse
from chat.http.cancellation import CancellableCall
from chat.providers import errors, plain_prompt
from chat.providers.base import Provider, StreamItem, deltas
from chat.providers.json_access import get_path, get_text, get_token_count, parse
from chat.providers.transport import ModelClient, ModelResponse

FINISH_REASONS = {
    "eos_token": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "length": FinishReason.LENGTH,
}

_RESERVED = {"inputs", "stream", "max_new_tokens", "return_full_text"}


class HuggingFace(Provider):
    """Sends the `Human:`/`Bot:` prompt and truncates the reply at the next turn.

    The model's `parameters` are fields of the request's own `parameters`.
    """

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        if clash := sorted(_RESERVED & model.parameters.keys()):
            raise ConfigError(f"model {model.name}: parameters must not contain {clash[0]!r}")
        self._client = ModelClient(model)

    def stream(self, prompt: Prompt, call: CancellableCall) -> Iterator[str | Completion]:
        inputs = plain_prompt.render(prompt)
        body: dict[str, object] = {
            "inputs": inputs,
            "parameters": self._parameters(prompt.options),
        }
        if self.model.stream:
            body["stream"] = True
        stops = (plain_prompt.HUMAN, *self.model.stop, *prompt.options.stop)
        with self._client.post(body, call) as response:
            if response.is_stream:
                items = self._read_stream(response)
            else:
                items = self._read_document(response, inputs)
            yield from deltas(plain_prompt.truncate_at_stop(items, stops), call)

    def _parameters(self, options: Options) -> dict[str, object]:
        # A cached response to the same prompt would make `regenerate` return the same reply.
        parameters: dict[str, object] = {"use_cache": False}
        if self.model.stream:
            parameters["details"] = True  # else TGI's stream has no finish reason
        parameters |= self.model.parameters
        parameters |= {
            "return_full_text": False,
            "max_new_tokens": min(
                options.max_tokens or self.model.max_tokens, self.model.max_tokens
            ),
        }
        if stops := self.model.stop + options.stop:
            parameters["stop"] = stops
        return parameters | _sampling(options)

    def _read_stream(self, response: ModelResponse) -> Iterator[StreamItem]:
        for data in response.events():
            event = self._raise_on_error(parse(data))
            token = get_path(event, "token")
            text = "" if get_path(token, "special") else get_text(token, "text")
            if get_path(event, "generated_text") is None:
                yield text, None
            else:
                response.drain()
                yield text, _completion(get_path(event, "details"))
                return
        raise ModelInvalidResponse("The model's reply ended unexpectedly.")

    def _read_document(self, response: ModelResponse, inputs: str) -> Iterator[StreamItem]:
        document = response.document()
        first = get_path(document, 0) if isinstance(document, list) else document
        self._raise_on_error(first)
        if get_path(first, "generated_text") is None:
            raise ModelInvalidResponse
        # The plain format has no finish reason unless `parameters` contain `details`.
        details = get_path(first, "details")
        completion = (
            _completion(details) if details else Completion(finish_reason=FinishReason.STOP)
        )
        # Some servers ignore `return_full_text` and repeat the prompt.
        yield get_text(first, "generated_text").removeprefix(inputs), completion

    def _raise_on_error(self, document: object) -> object:
        if get_path(document, "error"):
            raise errors.from_event(self.model.name, document)
        return document


def _sampling(options: Options) -> dict[str, object]:
    """Translate the options for TGI, which rejects a temperature of 0 and a top_p of 1."""
    sampling: dict[str, object] = {}
    if options.temperature is not None:
        greedy = options.temperature == 0
        sampling |= {"do_sample": False} if greedy else {"temperature": options.temperature}
    if options.top_p is not None and options.top_p < 1:
        sampling["top_p"] = options.top_p
    if options.seed is not None:
        sampling["seed"] = options.seed
    return sampling


def _completion(details: object) -> Completion:
    reason = get_path(details, "finish_reason")
    if not isinstance(reason, str) or reason not in FINISH_REASONS:
        raise ModelInvalidResponse("The model sent no valid finish reason.")
    return Completion(finish_reason=FINISH_REASONS[reason], usage=_usage(details))


def _usage(details: object) -> Usage | None:
    prompt = get_token_count(details, "input_length")
    completion = get_token_count(details, "generated_tokens")
    if prompt is None or completion is None:
        return None
    return Usage(prompt_tokens=prompt, completion_tokens=completion, source=UsageSource.PROVIDER)
