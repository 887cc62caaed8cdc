"""OpenAI's completions: one plain prompt that the model continues.

`url` is the API's base URL, such as `http://127.0.0.1:8080/v1`.
"""

from collections.abc import AsyncGenerator

from chat.domain import Model, Prompt
from chat.providers import openai_common, plain_prompt
from chat.providers.base import ACTIVITY, Item, Provider, StreamItem
from chat.providers.choice_reader import Choice, ChoiceReader
from chat.providers.deviations import describe, invalid_response
from chat.providers.reply import read_reply
from chat.providers.transport import ModelClient

# The vendor ends the reply here. Without the colon, so that it never sends part of a marker.
STOP = "\nHuman"


class Completions(Provider):
    """Sends the `Human:`/`Bot:` prompt and truncates the reply at the next turn."""

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        openai_common.check_parameters(model)
        plain_prompt.check_fields(model)
        self._client = ModelClient(model, "/completions")

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Item]:
        body = openai_common.request_body(self.model, prompt.options, STOP)
        body["prompt"] = plain_prompt.render(prompt)
        stops = (plain_prompt.HUMAN, *self.model.stop, *prompt.options.stop)
        async with self._client.post(body) as response:
            items = _TextReader(response, self.model.name).items()
            async for item in read_reply(items, self.model, stops=stops, strip=True):
                yield item


class _TextReader(ChoiceReader):
    def read_choice(self, choice: Choice) -> StreamItem:
        text = choice.get("text")
        if type(text) is str and text:
            return text, None
        if text:
            raise invalid_response(f"{describe(text)} as the text")
        return ACTIVITY
