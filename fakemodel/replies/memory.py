"""What the dev model remembers: only what it was shown in this very call."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from fakemodel.calls import Message

NAME = re.compile(r"\b(?:my name is|my name's|call me|i am called)\s+([^\W\d_][\w'-]{0,40})", re.I)
FACT = re.compile(
    r"\bmy ([a-z][a-z ]{1,40}?) (?:is|are) ([^.,;:!?\n\[]{1,80}?)(?= and |[.,;:!?\n\[]|$)", re.I
)
REMEMBER = re.compile(r"\bremember (?:that |this: ?)?([^\n?\[]{3,200})", re.I)


@dataclass(frozen=True, slots=True)
class Memory:
    """The conversation before the message that is being answered."""

    asked: tuple[str, ...]
    """The earlier user messages, oldest first."""
    said: tuple[str, ...]
    """The model's earlier replies, oldest first."""
    now: str
    """The message to answer."""

    @property
    def name(self) -> str:
        """The user's first name as last given, or an empty string."""
        for text in reversed((*self.asked, self.now)):
            if found := NAME.search(text):
                return found[1][:1].upper() + found[1][1:]
        return ""

    def fact(self, subject: str) -> str:
        """What the user last said that "my <subject>" is, or an empty string."""
        for text in reversed((*self.asked, self.now)):
            for known, value in reversed(FACT.findall(text)):
                if known.lower() == subject.lower():
                    return str(value).strip()
        return ""

    def noted(self) -> list[str]:
        """What the user asked to have remembered, oldest first."""
        return [found[1].strip(" .") for text in self.asked if (found := REMEMBER.search(text))]


def recall(messages: Sequence[Message]) -> Memory:
    """The memory that `messages` make; the last user message is the one to answer."""
    asked = [message.content for message in messages if message.role == "user"]
    said = [message.content for message in messages if message.role == "assistant"]
    return Memory(tuple(asked[:-1]), tuple(said), asked[-1] if asked else "")
