"""The files of a prompt: read when the model is called, and sent as data URLs."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from chat.domain import Caller, Prompt, PromptMessage
from chat.domain.files import Part, PartType, to_data_url
from chat.store import files

# Bytes of the files of all prompts that a worker process calls models with at the same time, at
# least those of one prompt. Base64 and the request's body take about four times as much memory.
MAX_TOTAL_BYTES = 64 * 1024 * 1024


class FileMemory:
    """Counts the bytes of the files of running calls; used on one event loop."""

    def __init__(self, max_bytes: int = MAX_TOTAL_BYTES) -> None:
        self._left = max_bytes

    @contextmanager
    def reserve(self, prompt: Prompt) -> Iterator[bool]:
        """Reserve memory for a prompt's files; give whether there is enough."""
        size = sum(part.size for message in prompt.messages for part in message.parts)
        has_room = not size or size <= self._left
        reserved = size if has_room else 0
        self._left -= reserved
        try:
            yield has_room
        finally:
            self._left += reserved


file_memory = FileMemory()


async def load(session_id: str, prompt: Prompt) -> Prompt:
    """Return the prompt with the contents of its files. A text replaces a deleted file.

    Raises:
        SessionNotFound, SessionExpired, StoreUnavailable
    """
    parts = (part for message in prompt.messages for part in message.parts)
    ids = list({part.file_id: None for part in parts if part.file_id})
    if not ids:
        return prompt
    contents = await files.read.on_loop(Caller.internal(session_id), ids)
    # Megabytes of Base64 would block the event loop.
    urls = await asyncio.to_thread(
        lambda: {
            name: to_data_url(found[0].media_type, found[1])
            for name, found in zip(ids, contents, strict=True)
            if found is not None
        }
    )
    return replace(prompt, messages=[_with_contents(message, urls) for message in prompt.messages])


def _with_contents(message: PromptMessage, urls: Mapping[str, str]) -> PromptMessage:
    return message._replace(parts=tuple(_with_content(part, urls) for part in message.parts))


def _with_content(part: Part, urls: Mapping[str, str]) -> Part:
    if not part.file_id:
        return part
    if part.file_id not in urls:
        return Part(PartType.TEXT, part.placeholder)
    return part._replace(url=urls[part.file_id])
