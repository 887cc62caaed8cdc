"""From the items of a response to what a provider yields."""

from collections.abc import Iterable, Iterator, Sequence

from chat.domain import Completion, FinishReason, Model
from chat.http.cancellation import CancellableCall
from chat.providers import stop_sequences, think_tags
from chat.providers.base import Item, StreamItem
from chat.providers.deviations import invalid_response


def read_reply(
    items: Iterator[StreamItem],
    model: Model,
    call: CancellableCall,
    *,
    stops: Sequence[str],
    strip: bool = False,
) -> Iterator[Item]:
    """Yield the reply up to the first of `stops`, without reasoning in tags if the model has them.

    strip: also remove whitespace at either end of the reply. The errors are those of `deltas`.
    """
    if model.think_tags:
        items = think_tags.remove(items, is_prefilled=model.think_tags == "prefilled")
    if stops:
        items = stop_sequences.truncate(items, stops, strip=strip)
    return deltas(items, call)


def deltas(items: Iterable[StreamItem], call: CancellableCall) -> Iterator[Item]:
    """Yield the items' texts that are not empty, their reasoning, and the completion.

    Raises:
        UpstreamClosed: the call was cancelled, even if more data had arrived.
        ModelInvalidResponse: the model stopped after whitespace only. If a limit or a filter ended
            the reply, its finish reason explains why it is empty.
    """
    is_blank = True
    for text, other in items:
        call.raise_if_cancelled()
        if text:
            is_blank = is_blank and text.isspace()
            yield text
        if other is not None:
            if is_blank and isinstance(other, Completion):
                _check_blank(other)
            yield other


def _check_blank(completion: Completion) -> None:
    if completion.finish_reason is FinishReason.STOP:
        raise invalid_response("no text", "The model returned an empty reply.")
