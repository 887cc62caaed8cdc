"""The replies of the style `demo`: Markdown, the same for the same messages."""

import re
from collections.abc import Sequence

from fakemodel.calls import Message
from fakemodel.directives import remove_directives
from fakemodel.replies import samples

MAX_SEARCHED = 2000  # characters of a message that the patterns search
MAX_QUOTED = 500  # characters of a message that a reply repeats

FACT = re.compile(
    r"\bmy ([a-z][a-z ]{0,40}?) is ([^.,;:!?\n]{1,80}?)(?= and |[.,;:!?\n]|$)", re.IGNORECASE
)
FACT_QUESTION = re.compile(r"\bwhat(?:'s| is) my ([a-z][a-z ]{0,40}?)\s*\??\s*$", re.IGNORECASE)
HISTORY_QUESTION = re.compile(r"\bwhat did i (?:say|ask|tell)\b", re.IGNORECASE)

SAMPLES = tuple(
    (re.compile(pattern, re.IGNORECASE), text)
    for pattern, text in (
        (r"^\W*help\b|\bwhat (?:can|are) you\b|\bwho are you\b", samples.HELP),
        (r"\b(?:code|function|script|program)\b", samples.CODE),
        (r"\btable\b", samples.TABLE),
        (r"\b(?:list|steps)\b", samples.LIST),
        (r"\b(?:long|story|essay)\b", samples.LONG_TEXT),
    )
)


def compose(messages: Sequence[Message]) -> str:
    """Return the reply to the last user message."""
    texts = [remove_directives(message.content) for message in messages if message.role == "user"]
    *earlier, question = texts or [""]
    searched = question[:MAX_SEARCHED]
    if found := FACT_QUESTION.search(searched):
        return _recall_fact(found[1], earlier)
    if HISTORY_QUESTION.search(searched):
        return _list_messages(earlier)
    for pattern, text in SAMPLES:
        if pattern.search(searched):
            return text
    return samples.DEFAULT.format(quote=_quote(question[:MAX_QUOTED]))


def _recall_fact(subject: str, earlier: Sequence[str]) -> str:
    """Return what the user last said that "my <subject>" is."""
    for text in reversed(earlier):
        for known, value in reversed(FACT.findall(text[:MAX_SEARCHED])):
            if known.lower() == subject.lower():
                return f"Your {subject} is **{value.strip()}**."
    return f"No message mentions your {subject}."


def _list_messages(earlier: Sequence[str]) -> str:
    if not earlier:
        return "This is the first message that I received."
    lines = [
        f"{number}. {' '.join(text[:MAX_QUOTED].split())}" for number, text in enumerate(earlier, 1)
    ]
    return "Your earlier messages:\n\n" + "\n".join(lines)


def _quote(text: str) -> str:
    return "\n".join(f"> {line}" for line in text.splitlines()) or "> "
