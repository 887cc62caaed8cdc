"""Messages of a client as the history of a session."""

from collections.abc import Iterable, Sequence

from chat.domain import InputMessage, Role
from chat.domain.errors import InvalidRequest

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
