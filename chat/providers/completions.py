"""OpenAI's completions: one plain prompt that the model continues.

`url` is the API's base URL, such as `http://127.0.0.1:8080/v1`.
"""

from collections.abc import Iterator

from chat.domain import Completion, Model, Prompt
from chat.http.cancellation import CancellableCall
from chat.providers import openai_common, plain_prompt
from chat.providers.base import Provider, deltas
from chat.providers.json_access import get_text
from chat.providers.transport import ModelClient

# The vendor ends the reply here. Without the colon, so that it never sends part of a marker.
STOP = "\nHuman"


class Completions(Provider):
    """Sends the `Human:`/`Bot:` prompt and truncates the reply at the next turn."""

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        openai_common.check_parameters(model)
        self._client = ModelClient(model, "/completions")

    def stream(self, prompt: Prompt, call: CancellableCall) -> Iterator[str | Completion]:
        body = openai_common.request_body(self.model, prompt.options, STOP)
        body["prompt"] = plain_prompt.render(prompt)
        stops = (plain_prompt.HUMAN, *self.model.stop, *prompt.options.stop)
        with self._client.post(body, call) as response:
            items = openai_common.read_response(
                response, self.model.name, streamed=_get_text, whole=_get_text
            )
            yield from deltas(plain_prompt.truncate_at_stop(items, stops), call)


def _get_text(choice: object) -> str:
    return get_text(choice, "text")
