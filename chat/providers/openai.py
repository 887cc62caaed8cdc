"""OpenAI's chat completions: OpenAI, Mistral, Hugging Face's router, vLLM, Ollama, llama.cpp, TGI.

`url` is the API's base URL, such as `https://api.openai.com/v1`.
"""

from collections.abc import Iterator

from chat.domain import Completion, Model, Prompt
from chat.domain.errors import ConfigError, ModelInvalidResponse
from chat.http.cancellation import CancellableCall
from chat.providers import openai_common
from chat.providers.base import Provider, deltas
from chat.providers.json_access import get_path, get_text
from chat.providers.transport import ModelClient


class OpenAI(Provider):
    """Sends the messages with their roles."""

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        openai_common.check_parameters(model)
        if not model.model:
            raise ConfigError(f"model {model.name}: model is missing: the vendor's name for it")
        self._client = ModelClient(model, "/chat/completions")

    def stream(self, prompt: Prompt, call: CancellableCall) -> Iterator[str | Completion]:
        body = openai_common.request_body(self.model, prompt.options)
        body["messages"] = [
            {"role": message.role, "content": message.content} for message in prompt.messages
        ]
        with self._client.post(body, call) as response:
            items = openai_common.read_response(
                response, self.model.name, streamed=_delta_text, whole=_message_text
            )
            yield from deltas(items, call)


def _delta_text(choice: object) -> str:
    return _content(get_path(choice, "delta"))


def _message_text(choice: object) -> str:
    return _content(get_path(choice, "message"))


def _content(message: object) -> str:
    """Return the model's text or refusal, without its reasoning."""
    content = get_path(message, "content")
    if isinstance(content, list):  # Mistral's reasoning models
        return "".join(
            get_text(part, "text") for part in content if get_path(part, "type") == "text"
        )
    if content is None:
        return get_text(message, "refusal")
    if not isinstance(content, str):
        raise ModelInvalidResponse
    return content
