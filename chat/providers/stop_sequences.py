"""Cut a reply at a stop sequence, for what servers do not cut themselves."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from chat.domain import Completion, FinishReason
from chat.providers.base import StreamItem

# Characters of trailing whitespace to hold back.
_MAX_HELD_BLANKS = 4096


def truncate(
    items: Iterable[StreamItem], stops: Iterable[str], *, strip: bool = False
) -> Iterator[StreamItem]:
    """Yield the reply up to the first of `stops`.

    strip: also remove whitespace at either end of the reply.

    The joined result does not depend on how the text is split: the possible start of a stop, and
    whitespace that may have to be removed, are held back until the next item decides. A reply that
    reaches a stop gets the finish reason "stop", whatever the vendor reports.
    """
    texts = tuple(filter(None, stops))
    if not texts:
        yield from items
        return
    stop = re.compile("|".join(map(re.escape, texts)))
    held, has_started = "", not strip
    for text, other in items:
        held += text
        if not has_started:
            held = held.lstrip()
            has_started = bool(held)
        completion = other if isinstance(other, Completion) else None
        overlap = 0 if completion else max(_overlap(held, text) for text in texts)
        decided = len(held) - overlap
        found = stop.search(held)
        if found and found.start() <= decided:
            reply = held[: found.start()]
            yield reply.rstrip() if strip else reply, _with_stop_reason(completion)
            return
        if completion is not None:
            yield held.rstrip() if strip else held, completion
            return
        safe = _safe_length(held, decided) if strip else decided
        yield held[:safe], other
        held = held[safe:]


def _safe_length(text: str, decided: int) -> int:
    """Return how many characters of `text` belong to the reply whatever follows."""
    written = len(text[:decided].rstrip())
    return written if decided - written <= _MAX_HELD_BLANKS else decided


def _overlap(text: str, stop: str) -> int:
    """Return the length of the longest suffix of `text` that is a proper prefix of `stop`."""
    longest = min(len(text), len(stop) - 1)
    return next((size for size in range(longest, 0, -1) if text.endswith(stop[:size])), 0)


def _with_stop_reason(completion: Completion | None) -> Completion:
    if completion is None:
        return Completion(finish_reason=FinishReason.STOP)
    return replace(completion, finish_reason=FinishReason.STOP)
