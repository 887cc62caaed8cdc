"""The plain prompt of `Human:` and `Bot:` turns, for formats that continue a text.

It has the tutorial's layout (`Human: ... Bot:`) with one turn per line. The reply ends where the
model starts to write the next `Human:` turn.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from chat.domain import Completion, FinishReason, Prompt, Role
from chat.providers.base import StreamItem

HUMAN, BOT = "Human:", "Bot:"
_SPEAKERS = {Role.USER: HUMAN, Role.ASSISTANT: BOT}

# A space before the colon keeps the text readable, and the marker no longer starts a turn.
_MARKER = re.compile(r"(?:Human|Bot|\b(?i:human|bot))(?=:)")
# Markers that start a turn in the templates of ChatML, Llama and Mistral.
_TEMPLATE_MARKER = re.compile(r"<(?=\||/?s>)|\[(?=/?INST\])")

# Characters of trailing whitespace to hold back.
_MAX_HELD_BLANKS = 4096


def render(prompt: Prompt) -> str:
    """Return the prompt as one text that ends where the reply starts.

    Role markers inside a message are changed so that they do not start a turn.
    """
    parts = []
    for message in prompt.messages:
        content = _escape_markers(message.content).strip()
        speaker = _SPEAKERS.get(message.role)
        parts.append(f"{speaker} {content}\n" if speaker else f"{content}\n\n")
    return "".join(parts) + BOT


def _escape_markers(content: str) -> str:
    return _TEMPLATE_MARKER.sub(r"\g<0> ", _MARKER.sub(r"\g<0> ", content))


def truncate_at_stop(items: Iterable[StreamItem], stops: Iterable[str]) -> Iterator[StreamItem]:
    """Yield the reply up to the first of `stops`, without whitespace at either end.

    The joined result does not depend on how the text is split: the possible start of a stop, and
    whitespace that may precede one, are held back until the next item decides. A reply that
    reaches a stop gets the finish reason "stop", whatever the vendor reports.
    """
    texts = tuple(filter(None, stops))
    stop = re.compile("|".join(map(re.escape, texts)))
    held, has_started = "", False
    for text, completion in items:
        held += text
        if not has_started:
            held = held.lstrip()
            has_started = bool(held)
        overlap = 0 if completion else max(_overlap(held, each) for each in texts)
        decided = len(held) - overlap
        found = stop.search(held)
        if found and found.start() <= decided:
            yield held[: found.start()].rstrip(), _with_stop_reason(completion)
            return
        if completion is not None:
            yield held.rstrip(), completion
            return
        safe = _safe_length(held, decided)
        yield held[:safe], None
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
