"""From the items of a response to what a provider yields."""

from collections.abc import AsyncGenerator, Iterator, Sequence

from chat.domain import Completion, FinishReason, Model, Reasoning
from chat.domain.errors import ProviderError
from chat.http.errors import READ_ERRORS
from chat.providers.base import Item, StreamItem
from chat.providers.deviations import invalid_response
from chat.providers.stop_sequences import Truncator
from chat.providers.think_tags import Remover


async def read_reply(
    items: AsyncGenerator[StreamItem], model: Model, *, stops: Sequence[str], strip: bool = False
) -> AsyncGenerator[Item]:
    """Yield the reply's texts that are not empty, its reasoning, and the completion.

    The reply ends at the first of `stops`. If the model has tags for reasoning, text in them is no
    part of it.

    strip: also remove whitespace at either end of the reply.

    Raises:
        ModelInvalidResponse: the model stopped after whitespace only. If a limit or a filter ended
            the reply, its finish reason explains why it is empty.
    """
    reply = _Filter(model, Truncator(stops, strip=strip))
    try:
        async for item in items:
            for part in reply.feed(item):
                yield part
            if reply.completion is not None:
                break
    except (ProviderError, *READ_ERRORS):
        if rest := reply.received():
            yield rest
        raise
    if reply.completion is not None:
        yield reply.checked(reply.completion)


class _Filter:
    """Removes reasoning in tags, and what follows a stop sequence."""

    def __init__(self, model: Model, truncator: Truncator) -> None:
        self._truncator = truncator
        self._remover: Remover | None = None
        if model.think_tags:
            self._remover = Remover(is_prefilled=model.think_tags == "prefilled")
        self._is_blank = True
        # Set at the end of the reply.
        self.completion: Completion | None = None

    def feed(self, item: StreamItem) -> Iterator[str | Reasoning]:
        """Yield what remains of the next item."""
        for part in self._remover.feed(item) if self._remover else (item,):
            text, other = self._truncator.feed(part)
            if isinstance(other, Reasoning):
                yield other
            if text:
                self._is_blank = self._is_blank and text.isspace()
                yield text
            if isinstance(other, Completion):
                self.completion = other
                return

    def received(self) -> str:
        """Return the text that is buffered when the stream fails."""
        return self._truncator.received()

    def checked(self, completion: Completion) -> Completion:
        if self._is_blank and completion.finish_reason is FinishReason.STOP:
            raise invalid_response("no text", "The model returned an empty reply.")
        return completion
