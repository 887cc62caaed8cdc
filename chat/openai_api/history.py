"""Messages of a client as the history of a session."""

from collections.abc import Sequence

from chat.domain import InputMessage, Role
from chat.domain.files import InputPart, Part, PartType


def system_text(messages: Sequence[InputMessage]) -> str:
    """Return the texts of all system messages."""
    texts = [message.text for message in messages if message.role is Role.SYSTEM]
    return "\n\n".join(text for text in texts if text)


def merge(messages: Sequence[InputMessage]) -> InputMessage:
    """Return user messages as one."""
    text = "\n\n".join(message.text for message in messages if message.text)
    if not any(message.parts for message in messages):
        return InputMessage(Role.USER, text)
    parts = (message.parts or _text_parts(message.text) for message in messages)
    return InputMessage(Role.USER, text, tuple(part for each in parts for part in each))


def _text_parts(text: str) -> tuple[InputPart, ...]:
    return (InputPart(Part(PartType.TEXT, text)),) if text else ()
