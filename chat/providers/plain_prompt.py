"""The flat prompt of `Human:` and `Bot:` turns, for formats that continue a text.

The layout is the tutorial's (`Human: ... Bot:`), a line a turn; its reply ends where the model
begins to write the next `Human:` turn.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from chat.domain import Ending, FinishReason, Prompt, Role
from chat.providers.base import Piece

HUMAN, BOT = "Human:", "Bot:"
_SPEAKERS = {Role.USER: HUMAN, Role.ASSISTANT: BOT}

# A space before the colon: a reader sees no difference, and no turn begins there any more.
_MARKER = re.compile(r"(?:Human|Bot|\b(?i:human|bot))(?=:)")
# What models trained on ChatML, Llama's and Mistral's templates take for the start of a turn.
_TEMPLATE = re.compile(r"<(?=\||/?s>)|\[(?=/?INST\])")

_MOST_HELD = 4096
"""Blanks at the end of what has arrived that are held back, in characters."""


def flat(prompt: Prompt) -> str:
    """Return the prompt as one text that ends where the reply is to begin.

    Role markers inside a message stay data: they are altered so that they start no turn.
    """
    parts = []
    for message in prompt.messages:
        content = _neutral(message.content).strip()
        speaker = _SPEAKERS.get(message.role)
        parts.append(f"{speaker} {content}\n" if speaker else f"{content}\n\n")
    return "".join(parts) + BOT


def _neutral(content: str) -> str:
    return _TEMPLATE.sub(r"\g<0> ", _MARKER.sub(r"\g<0> ", content))


def cut(pieces: Iterable[Piece], stops: Iterable[str]) -> Iterator[Piece]:
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
            yield held[: found.start()].rstrip(), _stopped(ending)
            return
        if ending is not None:
            yield held.rstrip(), ending
            return
        sure = _sure(held, decided)
        yield held[:sure], None
        held = held[sure:]


def _sure(text: str, decided: int) -> int:
    """Return how many characters of `text` belong to the reply whatever follows."""
    written = len(text[:decided].rstrip())
    return written if decided - written <= _MOST_HELD else decided


def _overlap(text: str, stop: str) -> int:
    """Return the length of the longest end of `text` that `stop` begins with."""
    longest = min(len(text), len(stop) - 1)
    return next((size for size in range(longest, 0, -1) if text.endswith(stop[:size])), 0)


def _stopped(ending: Ending | None) -> Ending:
    if ending is None:
        return Ending(finish_reason=FinishReason.STOP)
    return replace(ending, finish_reason=FinishReason.STOP)
