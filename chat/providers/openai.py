"""OpenAI's chat completions: OpenAI, Mistral, Hugging Face's router, vLLM, Ollama, llama.cpp, TGI.

`url` is the API's base URL, such as `https://api.openai.com/v1`.
"""

from collections.abc import AsyncGenerator
from typing import Any

from chat.domain import Model, Prompt, PromptMessage, Reasoning, Role
from chat.domain.errors import ConfigError
from chat.domain.files import Part, PartType
from chat.providers import message_content, openai_common
from chat.providers.base import Item, Provider, StreamItem
from chat.providers.choice_reader import Choice, ChoiceReader
from chat.providers.reply import read_reply
from chat.providers.transport import ModelClient


class OpenAI(Provider):
    """Sends the messages with their roles."""

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        openai_common.check_parameters(model)
        if not model.model:
            raise ConfigError(f"model {model.name}: model is missing: the vendor's name for it")
        self._client = ModelClient(model, "/chat/completions")

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Item]:
        body = openai_common.request_body(self.model, prompt.options)
        body |= openai_common.chat_options(self.model, prompt.options)
        body["messages"] = _messages(prompt, self.model.system_role)
        stops = self.model.stop + prompt.options.stop
        async with self._client.post(body) as response:
            items = _ChatReader(response, self.model.name).items()
            async for item in read_reply(items, self.model, stops=stops):
                yield item


def _messages(prompt: Prompt, system_role: str) -> list[dict[str, Any]]:
    first, *others = prompt.messages
    if first.role is not Role.SYSTEM:
        return [_message(message) for message in prompt.messages]
    if system_role == Role.USER and others and others[0].role is Role.USER:
        # Not a separate message: some servers reject two user messages in a row.
        return [_message(_join(first, others[0])), *map(_message, others[1:])]
    return [_message(first, system_role), *map(_message, others)]


def _join(system: PromptMessage, message: PromptMessage) -> PromptMessage:
    """Return a user message that starts with the system prompt."""
    content = f"{system.content}\n\n{message.content}"
    text = (Part(PartType.TEXT, system.content),) if message.parts else ()
    return PromptMessage(Role.USER, content, (*text, *message.parts))


def _message(message: PromptMessage, role: str = "") -> dict[str, Any]:
    content = [_part(part) for part in message.parts] if message.parts else message.content
    return {"role": role or message.role, "content": content}


def _part(part: Part) -> dict[str, Any]:
    if part.type is PartType.TEXT:
        return {"type": "text", "text": part.text}
    if part.type is PartType.IMAGE:
        return {"type": "image_url", "image_url": {"url": part.url, "detail": part.detail}}
    return {"type": "file", "file": {"file_data": part.url, "filename": part.filename}}


# Members of a delta that may have more than its text.
_OTHERS = {"refusal", *message_content.REASONING_KEYS}


class _ChatReader(ChoiceReader):
    def read_choice(self, choice: Choice) -> StreamItem:
        message = choice.get("delta")
        if type(message) is dict:
            content = message.get("content")
            if type(content) is str and content and not _OTHERS & message.keys():
                return content, None
        elif message is None and not self.has_text:  # after deltas, it would repeat them
            message = choice.get("message")
        text, reasoning = message_content.read(message)
        return text, Reasoning(reasoning) if reasoning or not text else None
