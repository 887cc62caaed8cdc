"""A reply: its tokens and how it ended."""

import re
from dataclasses import dataclass

from fakemodel.calls import Call

# Words with the space before them, long ones in parts: near enough to what a tokenizer does.
TOKEN = re.compile(r"\s{0,24}\S{1,24}|\s+")

FILLER = (" and", " so", " it", " goes", " on", " and", " on,", " word", " after", " word,")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the model says to one call."""

    tokens: tuple[str, ...]
    finish: str = "stop"
    """`stop`, `length` or `content_filter`, in OpenAI's words."""
    stopped_by: str = ""
    """The caller's stop text that ended the reply, if one did."""
    prompt_tokens: int = 0
    """Estimated tokens of what the model was shown; 0 where usage is withheld."""
    tells_usage: bool = True

    @property
    def text(self) -> str:
        """The whole reply."""
        return "".join(self.tokens)


def trim(text: str, call: Call, *, tokens: int | None) -> Reply:
    """`text` as a reply to `call`: filled or cut to `tokens`, then to its stops and its bound."""
    kept, stopped_by = stop_at(fill(text, tokens) if tokens else text, call.stop)
    pieces = TOKEN.findall(kept)
    prompt_tokens = sum(4 + len(message.content) // 4 for message in call.messages)
    if call.max_tokens is not None and len(pieces) > call.max_tokens:
        return Reply(
            tokens=tuple(pieces[: call.max_tokens]), finish="length", prompt_tokens=prompt_tokens
        )
    return Reply(tokens=tuple(pieces), stopped_by=stopped_by, prompt_tokens=prompt_tokens)


def stop_at(text: str, stops: tuple[str, ...]) -> tuple[str, str]:
    """`text` up to the stop that comes first in it, and that stop (empty: none was met)."""
    places = [(place, stop) for stop in stops if (place := text.find(stop)) >= 0]
    if not places:
        return text, ""
    place, stop = min(places)
    return text[:place], stop


def fill(text: str, tokens: int) -> str:
    """`text` cut, or filled with harmless words, to exactly `tokens` tokens."""
    pieces = TOKEN.findall(text)[:tokens]
    missing = range(len(pieces), tokens)
    return "".join(pieces) + "".join(FILLER[index % len(FILLER)] for index in missing)
