"""From the items of a response to what a provider yields."""

from collections.abc import AsyncGenerator, Sequence

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
    is_blank = True
    async for text, other in _filter(items, model, Truncator(stops, strip=strip)):
        if isinstance(other, Reasoning):
            yield other
        if text:
            is_blank = is_blank and text.isspace()
            yield text
        if isinstance(other, Completion):
            if is_blank:
                _check_blank(other)
            yield other


async def _filter(
    items: AsyncGenerator[StreamItem], model: Model, truncator: Truncator
) -> AsyncGenerator[StreamItem]:
    remover = None
    if model.think_tags:
        remover = Remover(is_prefilled=model.think_tags == "prefilled")
    try:
        async for item in items:
            for part in remover.feed(item) if remover else (item,):
                yield truncator.feed(part)
                if truncator.is_done:
                    return
    except (ProviderError, *READ_ERRORS):
        if rest := truncator.received():
            yield rest, None
        raise


def _check_blank(completion: Completion) -> None:
    if completion.finish_reason is FinishReason.STOP:
        raise invalid_response("no text", "The model returned an empty reply.")
