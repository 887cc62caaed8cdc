"""The files of a prompt: read when the model is called, and sent as data URLs."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from chat.domain import Caller, Prompt, PromptMessage
from chat.domain.files import Part, PartType, StoredFile, to_data_url
from chat.store import files

Found = Mapping[str, tuple[StoredFile, bytes] | None]


async def load(session_id: str, prompt: Prompt) -> Prompt:
    """Return the prompt with the contents of its files. A text stands for one that was deleted.

    Raises:
        SessionNotFound, SessionExpired, StoreUnavailable
    """
    parts = (part for message in prompt.messages for part in message.parts)
    ids = list({part.file_id: None for part in parts if part.file_id})
    if not ids:
        return prompt
    contents = await files.read.on_loop(Caller.internal(session_id), ids)
    found = dict(zip(ids, contents, strict=True))
    # Megabytes of Base64 would block the event loop.
    messages = await asyncio.to_thread(
        lambda: [_with_contents(message, found) for message in prompt.messages]
    )
    return replace(prompt, messages=messages)


def _with_contents(message: PromptMessage, found: Found) -> PromptMessage:
    parts = tuple(_with_content(part, found) for part in message.parts)
    return message._replace(parts=parts)


def _with_content(part: Part, found: Found) -> Part:
    if not part.file_id:
        return part
    file = found[part.file_id]
    if file is None:
        return Part(PartType.TEXT, part.placeholder)
    return part._replace(url=to_data_url(file[0].media_type, file[1]))
