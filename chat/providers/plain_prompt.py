"""The flat prompt of `Human:` and `Bot:` turns, for formats that continue a text.

The layout is the tutorial's (`Human: ... Bot:`), a line a turn; its reply ends where the model
begins to write the next `Human:` turn.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from chat.domain import Completion, FinishReason, Prompt, Role
from chat.providers.base import StreamItem

HUMAN, BOT = "Human:", "Bot:"
_SPEAKERS = {Role.USER: HUMAN, Role.ASSISTANT: BOT}

# A space before the colon: a reader sees no difference, and no turn begins there any more.
_MARKER = re.compile(r"(?:Human|Bot|\b(?i:human|bot))(?=:)")
# What models trained on ChatML, Llama's and Mistral's templates take for the start of a turn.
_TEMPLATE_MARKER = re.compile(r"<(?=\||/?s>)|\[(?=/?INST\])")

_MAX_HELD_BLANKS = 4096
"""Blanks at the end of what has arrived that are held back, in characters."""


def render(prompt: Prompt) -> str:
    """Return the prompt as one text that ends where the reply is to begin.

    Role markers inside a message stay data: they are altered so that they start no turn.
    """
    parts = []
    for message in prompt.messages:
        content = _escape_markers(message.content).strip()
        speaker = _SPEAKERS.get(message.role)
        parts.append(f"{speaker} {content}\n" if speaker else f"{content}\n\n")
    return "".join(parts) + BOT


def _escape_markers(content: str) -> str:
    return _TEMPLATE_MARKER.sub(r"\g<0> ", _MARKER.sub(r"\g<0> ", content))


def truncate_at_stop(pieces: Iterable[StreamItem], stops: Iterable[str]) -> Iterator[StreamItem]:
    """Yield the reply up to the first of `stops`, without blanks at either end.

    However the text is split, the joined result is the same: what may turn out to be the
    beginning of a stop, or blanks before one, is held back until the next piece decides.
    A reply that ends at a stop has ended by itself, whatever its vendor calls it.
    """
    ends = tuple(filter(None, stops))
    stop = re.compile("|".join(map(re.escape, ends)))
    held, begun = "", False
    for text, ending in pieces:
        held += text
        if not begun:
            held = held.lstrip()
            begun = bool(held)
        decided = len(held) if ending else len(held) - max(_overlap(held, end) for end in ends)
        found = stop.search(held)
        if found and found.start() <= decided:
            yield held[: found.start()].rstrip(), _with_stop_reason(ending)
            return
        if ending is not None:
            yield held.rstrip(), ending
            return
        sure = _safe_length(held, decided)
        yield held[:sure], None
        held = held[sure:]


def _safe_length(text: str, decided: int) -> int:
    """Return how many characters of `text` belong to the reply whatever follows."""
    written = len(text[:decided].rstrip())
    return written if decided - written <= _MAX_HELD_BLANKS else decided


def _overlap(text: str, stop: str) -> int:
    """Return the length of the longest end of `text` that `stop` begins with."""
    longest = min(len(text), len(stop) - 1)
    return next((size for size in range(longest, 0, -1) if text.endswith(stop[:size])), 0)


def _with_stop_reason(ending: Completion | None) -> Completion:
    if ending is None:
        return Completion(finish_reason=FinishReason.STOP)
    return replace(ending, finish_reason=FinishReason.STOP)
