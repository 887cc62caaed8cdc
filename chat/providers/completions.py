"""OpenAI's completions: one flat prompt that the model continues.

`url` is the API's base, such as `http://127.0.0.1:8080/v1`.
"""

from collections.abc import Iterator

from chat.domain import Ending, Model, Prompt
from chat.providers import choices, prompts
from chat.providers.base import Provider, deltas
from chat.providers.http import Client, Upstream
from chat.providers.wire import text_at

STOP = "\nHuman"
"""Where the vendor ends the reply by itself; it does so before a marker is complete."""


class Completions(Provider):
    """Sends the `Human:`/`Bot:` prompt and cuts the reply at the next turn."""

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        choices.check(model)
        self._client = Client(model, "/completions")

    def stream(self, prompt: Prompt, upstream: Upstream) -> Iterator[str | Ending]:
        body = choices.request(self.model, prompt.options, STOP)
        body["prompt"] = prompts.flat(prompt)
        stops = (prompts.HUMAN, *self.model.stop, *prompt.options.stop)
        with self._client.post(body, upstream) as answer:
            pieces = choices.read(answer, self.model.name, streamed=_text, whole=_text)
            yield from deltas(prompts.cut(pieces, stops), upstream)


def _text(choice: object) -> str:
    return text_at(choice, "text")
