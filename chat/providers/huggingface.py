"""Hugging Face text generation: the tutorial's request, and TGI's `generate_stream`.

`url` is called unchanged: a model's own endpoint, or TGI's `/generate` or `/generate_stream`.
"""

from collections.abc import AsyncGenerator

from chat.domain import Completion, FinishReason, Model, Options, Prompt, Usage, UsageSource
from chat.domain.errors import ConfigError
from chat.providers import error_text, errors, finish_reasons, plain_prompt
from chat.providers.base import ACTIVITY, Item, Provider, StreamItem, check_drop_options
from chat.providers.deviations import describe, invalid_response
from chat.providers.json_access import get_path, get_token_count
from chat.providers.reply import read_reply
from chat.providers.response import Document, ModelResponse, unexpected_end
from chat.providers.transport import ModelClient

# Stop sequences that TGI accepts by default. Parley cuts the reply at the others.
MAX_STOPS = 4

_RESERVED = {"inputs", "stream", "max_new_tokens", "return_full_text"}
# Options that a model's `drop_options` can name, and their names here.
_DROPPABLE = {
    "max_tokens": "max_new_tokens",
    **{name: name for name in ("temperature", "top_p", "stop", "seed", "use_cache", "details")},
}


class HuggingFace(Provider):
    """Sends the `Human:`/`Bot:` prompt and truncates the reply at the next turn.

    The model's `parameters` are fields of the request's own `parameters`.
    """

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        if clash := sorted(_RESERVED & model.parameters.keys()):
            raise ConfigError(f"model {model.name}: parameters must not contain {clash[0]!r}")
        check_drop_options(model, set(_DROPPABLE))
        plain_prompt.check_fields(model)
        self._client = ModelClient(model)

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Item]:
        inputs = plain_prompt.render(prompt)
        body: dict[str, object] = {
            "inputs": inputs,
            "parameters": self._parameters(prompt.options),
        }
        if self.model.stream:
            body["stream"] = True
        stops = (plain_prompt.HUMAN, *self.model.stop, *prompt.options.stop)
        async with self._client.post(body) as response:
            items = _Reader(response, self.model.name, inputs).items()
            async for item in read_reply(items, self.model, stops=stops, strip=True):
                yield item

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
            parameters["stop"] = stops[:MAX_STOPS]
        parameters |= _sampling(options)
        for name in self.model.drop_options:
            parameters.pop(_DROPPABLE[name], None)
        return parameters


class _Reader:
    """Reads one response: the tokens of a stream, or a document with the whole text."""

    def __init__(self, response: ModelResponse, model: str, inputs: str) -> None:
        self._response = response
        self._model = model
        self._inputs = inputs
        self._has_text = False

    async def items(self) -> AsyncGenerator[StreamItem]:
        """Yield an item for each event, the last one with the completion.

        Raises:
            ModelInvalidResponse: the end came before the event with the whole text.
            ProviderError: the response contains an error.
        """
        response = self._response
        async for document in response.documents():
            text = self._read_text(document)
            if response.surrogates is not None:
                text = response.surrogates.join(text)
            self._has_text = self._has_text or bool(text)
            details = document.get("details")
            if document.get("generated_text") is not None or (details and _finish_reason(details)):
                await response.body.drain()
                yield text, self._completion(document)
                return
            yield (text, None) if text else ACTIVITY
        if not (response.is_done and self._has_text):
            raise unexpected_end()
        yield "", finish_reasons.to_completion(response, None)

    def _read_text(self, document: Document) -> str:
        token = document.get("token")
        if type(token) is dict:
            return "" if token.get("special") else _string(token.get("text"))
        if error_text.is_error(document):
            raise errors.from_event(self._model, document)
        if self._has_text:  # already read as tokens
            return ""
        # Some servers ignore `return_full_text` and repeat the prompt.
        return _string(document.get("generated_text")).removeprefix(self._inputs)

    def _completion(self, document: Document) -> Completion:
        details = document.get("details")
        reason = _finish_reason(details)
        if reason is None and self._response.json_documents:
            # The plain format has no finish reason unless `parameters` contain `details`.
            return Completion(finish_reason=FinishReason.STOP)
        usage = _usage(details, has_text=self._has_text)
        return finish_reasons.to_completion(self._response, reason, usage)


def _finish_reason(details: object) -> str | None:
    return finish_reasons.normalize(get_path(details, "finish_reason"))


def _string(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise invalid_response(f"{describe(value)} as the text")
    return value


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


def _usage(details: object, *, has_text: bool) -> Usage | None:
    prompt = get_token_count(details, "input_length")
    completion = get_token_count(details, "generated_tokens")
    if not prompt or completion is None or (completion == 0 and has_text):
        return None
    return Usage(prompt_tokens=prompt, completion_tokens=completion, source=UsageSource.PROVIDER)
