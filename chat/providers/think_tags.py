"""Remove the reasoning that a model writes in tags at the start of its reply.

Servers without a reasoning parser send `<think>...</think>` as part of the content.
"""

from collections.abc import Sequence
from enum import Enum, auto

from chat.domain import Completion, Reasoning
from chat.providers.base import StreamItem

THINK, END_OF_THINK = "<think>", "</think>"
_TAGS = {
    THINK: END_OF_THINK,  # DeepSeek, Qwen
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",  # Gemini
    "<reasoning>": "</reasoning>",
    "<seed:think>": "</seed:think>",  # ByteDance
    "[THINK]": "[/THINK]",  # Mistral
}


class Remover:
    """Turns leading reasoning in tags into `Reasoning`.

    The joined result does not depend on how the text is split. A reply that does not start with a
    tag is unchanged.
    """

    def __init__(self, *, is_prefilled: bool) -> None:
        """Create a remover for one reply.

        is_prefilled: the prompt contains the opening tag, so the reply starts inside.
        """
        self._splitter = _Splitter(is_inside=is_prefilled)

    def feed(self, item: StreamItem) -> Sequence[StreamItem]:
        """Return the items that replace the next one of a reply."""
        if self._splitter.is_done:
            return (item,)
        text, other = item
        reasoning, reply = self._splitter.split(text, is_last=isinstance(other, Completion))
        if reasoning or (other is None and not reply):
            return ("", Reasoning(reasoning)), (reply, other)
        return ((reply, other),)


class _Place(Enum):
    START = auto()
    INSIDE = auto()
    AFTER = auto()
    REPLY = auto()


class _Splitter:
    """Splits a text that arrives in pieces into reasoning and reply."""

    def __init__(self, *, is_inside: bool) -> None:
        self._place = _Place.INSIDE if is_inside else _Place.START
        self._end_tag = END_OF_THINK
        self._buffer = ""

    @property
    def is_done(self) -> bool:
        return self._place is _Place.REPLY

    def split(self, text: str, *, is_last: bool) -> tuple[str, str]:
        """Return the reasoning and the part of the reply that `text` completes."""
        self._buffer += text
        reasoning = reply = ""
        if self._place is _Place.START:
            self._read_start(is_last=is_last)
        if self._place is _Place.INSIDE:
            reasoning = self._read_reasoning(is_last=is_last)
        if self._place is _Place.AFTER:
            self._buffer = self._buffer.lstrip()
            self._place = _Place.REPLY if self._buffer else _Place.AFTER
        if self._place is _Place.REPLY:
            reply, self._buffer = self._buffer, ""
        return reasoning, reply

    def _read_start(self, *, is_last: bool) -> None:
        start = self._buffer.lstrip()
        tag = next(filter(start.startswith, _TAGS), None)
        if tag is not None:
            self._place = _Place.INSIDE
            self._end_tag = _TAGS[tag]
            self._buffer = start.removeprefix(tag)
        elif is_last or not any(tag.startswith(start) for tag in _TAGS):
            self._place = _Place.REPLY

    def _read_reasoning(self, *, is_last: bool) -> str:
        reasoning, tag, rest = self._buffer.partition(self._end_tag)
        if tag:
            self._place = _Place.AFTER
            self._buffer = rest
            return reasoning
        size = len(reasoning) if is_last else len(reasoning) - _overlap(reasoning, self._end_tag)
        self._buffer = reasoning[size:]
        return reasoning[:size]


def _overlap(text: str, tag: str) -> int:
    """Return the length of the longest end of `text` that `tag` starts with."""
    return next((size for size in range(len(tag) - 1, 0, -1) if text.endswith(tag[:size])), 0)
