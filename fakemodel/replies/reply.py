"""A reply: its tokens and how it ends."""

import re
from dataclasses import dataclass

from fakemodel.calls import Call
from fakemodel.replies.samples import LOREM

# A word with the space before it, long words in parts: about what a tokenizer does.
TOKEN = re.compile(r"\s{0,24}\S{1,24}|\s+")

FILLER = tuple(TOKEN.findall(f" {LOREM}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The reply to one call."""

    tokens: tuple[str, ...]
    # `stop`, `length` or `content_filter`, as OpenAI names them.
    finish_reason: str = "stop"
    # The stop sequence of the call that ended the reply, if any.
    stop_sequence: str = ""
    # Estimated tokens of the messages that the model received.
    prompt_tokens: int = 0
    has_usage: bool = True
    # Tokens of the reasoning before the reply.
    reasoning: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The whole reply."""
        return "".join(self.tokens)


def build_reply(text: str, call: Call, *, tokens: int | None) -> Reply:
    """Return `text` as a reply to `call`.

    It is first filled or cut to `tokens`, then cut at the call's stop sequences and maximum.
    """
    text, stop_sequence = _cut_at_stop(fill(text, tokens) if tokens else text, call.stop_sequences)
    pieces = TOKEN.findall(text)
    prompt_tokens = sum(4 + len(message.content) // 4 for message in call.messages)
    if call.max_tokens is not None and len(pieces) > call.max_tokens:
        pieces = pieces[: call.max_tokens]
        return Reply(tokens=tuple(pieces), finish_reason="length", prompt_tokens=prompt_tokens)
    return Reply(tokens=tuple(pieces), stop_sequence=stop_sequence, prompt_tokens=prompt_tokens)


def _cut_at_stop(text: str, sequences: tuple[str, ...]) -> tuple[str, str]:
    """Return `text` up to the first stop sequence in it, and that sequence or an empty string."""
    found = [(index, stop) for stop in sequences if (index := text.find(stop)) >= 0]
    if not found:
        return text, ""
    index, stop = min(found)
    return text[:index], stop


def fill(text: str, tokens: int) -> str:
    """Return `text` cut, or extended with filler words, to exactly `tokens` tokens."""
    pieces = TOKEN.findall(text)[:tokens]
    missing = range(len(pieces), tokens)
    return "".join(pieces) + "".join(FILLER[index % len(FILLER)] for index in missing)
