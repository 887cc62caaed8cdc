"""Messages that a client sends as a history, as turns of a session."""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from chat.conversation import files, llms
from chat.conversation.context_window import estimate_text, pair_with_replies
from chat.domain import (
    Caller,
    History,
    HistoryMessage,
    InputMessage,
    PastTurn,
    PromptMessage,
    Role,
)
from chat.domain.files import InputPart, Part, PartType, StoredFile
from chat.domain.ids import message_number
from chat.settings import chat_settings
from chat.store import files as stored_files
from chat.store import leases, sessions
from chat.store.calls import Steps, store_call
from chat.store.message_json import parse_message


def build(
    messages: Iterable[InputMessage],
    known: Mapping[str, StoredFile] | None = None,
) -> History:
    """Return messages as turns, as `pair` does; known: files of the session, by id.

    Raises:
        UnsupportedContent, BodyTooLarge: a file has an unknown type, or is too large.
        InvalidRequest: the session has no such file.
    """
    new: dict[str, tuple[StoredFile, bytes]] = {}
    resolved = [
        PromptMessage(
            message.role,
            message.text,
            tuple(_resolve(each, known or {}, new) for each in message.parts),
        )
        for message in messages
    ]
    return History(turns=pair(resolved), files=new)


def pair(messages: Iterable[PromptMessage]) -> list[PastTurn]:
    """Return messages as turns. System messages and empty ones are left out.

    A message without a reply, and a reply without a message, have an empty text in its place.
    """
    turns: list[PastTurn] = []
    for message in messages:
        if message.role is Role.SYSTEM or not (message.content or message.parts):
            continue
        if message.role is Role.USER:
            turns.append(PastTurn(message.content, "", message.parts))
        elif turns and not turns[-1].reply:
            turns[-1] = turns[-1]._replace(reply=message.content)
        else:
            turns.append(PastTurn("", message.content))
    return turns


def _resolve(
    given: InputPart,
    known: Mapping[str, StoredFile],
    new: dict[str, tuple[StoredFile, bytes]],
) -> Part:
    """Return a part that refers to its file; add the file to the new ones."""
    if given.content is not None:
        file = files.describe(given.content, given.part.filename)
        new[file.id] = (file, given.content)
        return files.with_file(given.part, file)
    if not given.part.file_id:
        return given.part
    return files.with_file(given.part, known.get(given.part.file_id))


@store_call
def find_files(caller: Caller, messages: Iterable[InputMessage]) -> Steps[dict[str, StoredFile]]:
    """Return the session's files to which messages refer, by id.

    Raises:
        SessionNotFound, SessionExpired, StoreUnavailable
    """
    parts = (each.part for message in messages for each in message.parts)
    return (yield from _describe(caller, parts))


def _describe(caller: Caller, parts: Iterable[Part]) -> Steps[dict[str, StoredFile]]:
    """Return the session's files to which parts refer, by id."""
    ids = list({part.file_id: None for part in parts if part.file_id})
    found = (yield from stored_files.describe.steps(caller, ids)) if ids else []
    return {file.id: file for file in found if file is not None}


def read_turns(caller: Caller, last: int) -> Steps[tuple[list[PastTurn], dict[str, StoredFile]]]:
    """Return the turns that a model gets after a reply, or the newest, which no model reads whole.

    last: number of the reply. Returns the files to which the turns refer, too, by id; contents are
    not read. A text replaces a deleted file.

    Raises:
        SessionNotFound, SessionExpired, StoreUnavailable
    """
    pairs = yield from _read_pairs(caller, last)
    parts = (part for message, _ in pairs for part in message.parts)
    known = yield from _describe(caller, parts)
    turns = [
        PastTurn(message.content, reply.content, _without_deleted(message.parts, known))
        for message, reply in pairs
    ]
    return turns, known


def _read_pairs(caller: Caller, last: int) -> Steps[list[tuple[HistoryMessage, HistoryMessage]]]:
    """Return user messages and their replies, oldest first."""
    messages: list[HistoryMessage] = []  # newest first
    pairs: list[tuple[HistoryMessage, HistoryMessage]] = []
    tokens, has_more = 0, True
    while has_more and tokens <= llms.max_context_tokens() and len(messages) < leases.MAX_NUMBERS:
        page = yield from sessions.page.steps(
            caller,
            cursor=message_number(messages[-1].id) if messages else last + 1,
            newer=False,
            limit=chat_settings.MAX_PAGE_LIMIT,
        )
        has_more = page.has_more
        messages += (parse_message(orjson.loads(each)) for each in page.messages)
        pairs = pair_with_replies(messages[::-1])
        tokens = sum(estimate_text(each.content) for pair in pairs for each in pair)
    return pairs


def _without_deleted(parts: Iterable[Part], known: Mapping[str, StoredFile]) -> tuple[Part, ...]:
    return tuple(
        each if not each.file_id or each.file_id in known else _placeholder(each).part
        for each in parts
    )


def _placeholder(part: Part) -> InputPart:
    return InputPart(Part(PartType.TEXT, part.placeholder))


@store_call
def read_parts(caller: Caller, stored: Iterable[Mapping[str, Any]]) -> Steps[tuple[InputPart, ...]]:
    """Return stored parts with the contents of their files, which are read one by one.

    A text replaces a deleted file.

    Raises:
        SessionNotFound, SessionExpired, StoreUnavailable
    """
    parts = [Part.from_json(each) for each in stored]
    read: dict[str, tuple[StoredFile, bytes] | None] = {}
    for file_id in filter(None, (part.file_id for part in parts)):
        if file_id not in read:
            (read[file_id],) = yield from stored_files.read.steps(caller, [file_id])
    return tuple(_with_content(part, read.get(part.file_id)) for part in parts)


def _with_content(part: Part, file: tuple[StoredFile, bytes] | None) -> InputPart:
    if not part.file_id:
        return InputPart(part)
    if file is None:
        return _placeholder(part)
    return InputPart(part._replace(file_id=""), file[1])
