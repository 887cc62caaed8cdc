"""Messages of a client as the history of a session: pairs of user message and reply."""

from collections.abc import Sequence

from chat.domain import Role
from chat.openai_api.content import InputMessage


def to_texts(messages: Sequence[InputMessage]) -> list[str]:
    """Return texts for `chat.conversation.sessions`: message, reply, message, reply, ...

    A message without a reply, and a reply without a message, have an empty text in its place.
    System messages are left out. Texts stand for images and files.
    """
    texts: list[str] = []
    for message in messages:
        if message.is_empty or message.role is Role.SYSTEM:
            continue
        if (message.role is Role.USER) == bool(len(texts) % 2):
            texts.append("")
        texts.append(_text_of(message))
    if len(texts) % 2:
        texts.append("")
    return texts


def _text_of(message: InputMessage) -> str:
    if not message.parts:
        return message.text
    return "\n".join(each.part.placeholder for each in message.parts)


def system_text(messages: Sequence[InputMessage]) -> str:
    """Return the texts of all system messages."""
    texts = [message.text for message in messages if message.role is Role.SYSTEM]
    return "\n\n".join(text for text in texts if text)
