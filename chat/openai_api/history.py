"""Messages of a client as the history of a session."""

from collections.abc import Iterable, Sequence

from chat.domain import InputMessage, Role
from chat.domain.errors import InvalidRequest
from chat.domain.files import MAX_PARTS, InputPart, Part, PartType

# More than `CHAT_MAX_SYSTEM_PROMPT_BYTES`, because the system messages of agents are long.
MAX_SYSTEM_BYTES = 256 * 1024


def system_text(messages: Sequence[InputMessage]) -> str:
    """Return the texts of all system messages.

    Raises:
        InvalidRequest: they are too long.
    """
    return join_system(message.text for message in messages if message.role is Role.SYSTEM)


def join_system(texts: Iterable[str]) -> str:
    """Return system texts as one.

    Raises:
        InvalidRequest: they are too long.
    """
    text = "\n\n".join(filter(None, texts))
    if len(text.encode()) > MAX_SYSTEM_BYTES:
        raise InvalidRequest(f"System messages must have at most {MAX_SYSTEM_BYTES} bytes.")
    return text


def merge(messages: Sequence[InputMessage]) -> InputMessage:
    """Return user messages as one.

    Raises:
        InvalidRequest: they have too many parts.
    """
    text = "\n\n".join(message.text for message in messages if message.text)
    if not any(message.parts for message in messages):
        return InputMessage(Role.USER, text)
    groups = (message.parts or _text_parts(message.text) for message in messages)
    parts = tuple(part for each in groups for part in each)
    if len(parts) > MAX_PARTS:
        raise InvalidRequest(f"The new messages must have at most {MAX_PARTS} parts together.")
    return InputMessage(Role.USER, text, parts)


def _text_parts(text: str) -> tuple[InputPart, ...]:
    return (InputPart(Part(PartType.TEXT, text)),) if text else ()
