"""Flat prompts (`Human: ...`, `Bot: ...`) read back into messages."""

import re

from fakemodel.calls import Message

ROLES = {"Human": "user", "Bot": "assistant"}

SPEAKER = r"(Human|Bot):[ \t]?"
AT_LINE_START = re.compile(rf"^{SPEAKER}", re.MULTILINE)
# The tutorial joins its turns with spaces, so that a whole conversation is one line.
ANYWHERE = re.compile(rf"(?:^|(?<=\s)){SPEAKER}")


def parse_transcript(prompt: str) -> tuple[Message, ...]:
    """The messages of `prompt`, in order; a prompt without speakers is one user message.

    A speaker counts at the start of a line only, unless the prompt is a single line. What stands
    before the first speaker is the system message; the open `Bot:` at the end is left out.
    """
    pattern = AT_LINE_START if "\n" in prompt.strip() else ANYWHERE
    before, *rest = pattern.split(prompt)
    if not rest:
        return (Message("user", prompt.strip()),)
    spoken = [
        Message(ROLES[speaker], content.strip())
        for speaker, content in zip(rest[::2], rest[1::2], strict=True)
    ]
    if spoken[-1].role == "assistant" and not spoken[-1].content:
        spoken.pop()
    if before.strip():
        spoken.insert(0, Message("system", before.strip()))
    return tuple(spoken)
