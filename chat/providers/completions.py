"""OpenAI's completions: one flat prompt that the model continues.

`url` is the API's base, such as `http://127.0.0.1:8080/v1`.
"""

from collections.abc import Iterator

from chat.domain import Ending, Model, Prompt
from chat.providers import openai_common, plain_prompt
from chat.providers.base import Provider, deltas
from chat.providers.json_access import text_at
from chat.providers.transport import Client, Upstream

STOP = "\nHuman"
"""Where the vendor ends the reply by itself; it does so before a marker is complete."""


class Completions(Provider):
    """Sends the `Human:`/`Bot:` prompt and cuts the reply at the next turn."""

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        openai_common.check(model)
        self._client = Client(model, "/completions")

    def stream(self, prompt: Prompt, upstream: Upstream) -> Iterator[str | Ending]:
        body = openai_common.request(self.model, prompt.options, STOP)
        body["prompt"] = plain_prompt.flat(prompt)
        stops = (plain_prompt.HUMAN, *self.model.stop, *prompt.options.stop)
        with self._client.post(body, upstream) as answer:
            pieces = openai_common.read(answer, self.model.name, streamed=_text, whole=_text)
            yield from deltas(plain_prompt.cut(pieces, stops), upstream)


def _text(choice: object) -> str:
    return text_at(choice, "text")
