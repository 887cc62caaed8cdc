"""Plain-text prompts (`Human: ...`, `Bot: ...`), parsed into messages."""

import re

from fakemodel.calls import Message

ROLES = {"Human": "user", "Bot": "assistant"}

SPEAKER = r"(Human|Bot):[ \t]?"
AT_LINE_START = re.compile(rf"^{SPEAKER}", re.MULTILINE)
# The tutorial joins its turns with spaces, so a whole conversation is one line.
ANYWHERE = re.compile(rf"(?:^|(?<=\s)){SPEAKER}")


def parse_prompt(prompt: str) -> tuple[Message, ...]:
    """Return the messages of `prompt`; without speakers it is one user message.

    Speakers are recognised at the start of a line only, unless the prompt is a single line. Text
    before the first speaker is the system message. The empty `Bot:` at the end is left out.
    """
    pattern = AT_LINE_START if "\n" in prompt.strip() else ANYWHERE
    system, *turns = pattern.split(prompt)
    if not turns:
        return (Message("user", prompt.strip()),)
    messages = [
        Message(ROLES[speaker], content.strip())
        for speaker, content in zip(turns[::2], turns[1::2], strict=True)
    ]
    if messages[-1].role == "assistant" and not messages[-1].content:
        messages.pop()
    if system.strip():
        messages.insert(0, Message("system", system.strip()))
    return tuple(messages)
