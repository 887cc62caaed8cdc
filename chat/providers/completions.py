"""OpenAI's completions: one flat prompt that the model continues.

`url` is the API's base, such as `http://127.0.0.1:8080/v1`.
"""

from collections.abc import Iterator

from chat.domain import Completion, Model, Prompt
from chat.providers import openai_common, plain_prompt
from chat.providers.base import Provider, deltas
from chat.providers.json_access import get_text
from chat.providers.transport import CancellableCall, ModelClient

STOP = "\nHuman"
"""Where the vendor ends the reply by itself; it does so before a marker is complete."""


class Completions(Provider):
    """Sends the `Human:`/`Bot:` prompt and cuts the reply at the next turn."""

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        openai_common.check_parameters(model)
        self._client = ModelClient(model, "/completions")

    def stream(self, prompt: Prompt, call: CancellableCall) -> Iterator[str | Completion]:
        body = openai_common.request_body(self.model, prompt.options, STOP)
        body["prompt"] = plain_prompt.render(prompt)
        stops = (plain_prompt.HUMAN, *self.model.stop, *prompt.options.stop)
        with self._client.post(body, call) as answer:
            pieces = openai_common.read_response(
                answer, self.model.name, streamed=_text, whole=_text
            )
            yield from deltas(plain_prompt.truncate_at_stop(pieces, stops), call)


def _text(choice: object) -> str:
    return get_text(choice, "text")
