"""Messages that a client sends as a history, as turns of a session."""

from collections.abc import Iterable, Mapping
from typing import Any

from chat.conversation import files
from chat.domain import Caller, History, InputMessage, PastTurn, Role
from chat.domain.files import InputPart, Part, PartType, StoredFile
from chat.store import files as stored_files
from chat.store.calls import Steps, store_call


def build(
    messages: Iterable[InputMessage],
    known: Mapping[str, StoredFile] | None = None,
    *,
    source: str = "",
) -> History:
    """Return messages as turns. System messages and empty ones are left out.

    A message without a reply, and a reply without a message, have an empty text in its place.
    known: files of the session, by id; source: the session that has them, if it is another one.

    Raises:
        UnsupportedContent, BodyTooLarge: a file has an unknown type, or is too large.
        InvalidRequest: the session has no such file.
    """
    turns: list[PastTurn] = []
    new: dict[str, tuple[StoredFile, bytes]] = {}
    for message in messages:
        if message.is_empty or message.role is Role.SYSTEM:
            continue
        if message.role is Role.USER:
            parts = [_resolve(each, known or {}, new) for each in message.parts]
            turns.append(PastTurn(message.text, "", parts))
        elif turns and not turns[-1].reply:
            turns[-1] = turns[-1]._replace(reply=message.text)
        else:
            turns.append(PastTurn("", message.text))
    return History(turns=turns, files=new, source=source, copied=(known or {}) if source else {})


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
    ids = list({part.file_id: None for part in parts if part.file_id})
    found = (yield from stored_files.describe.steps(caller, ids)) if ids else []
    return {file.id: file for file in found if file is not None}


def read_messages(
    caller: Caller, stored: Iterable[Mapping[str, Any]]
) -> Steps[tuple[list[InputMessage], dict[str, StoredFile]]]:
    """Return stored messages, and the files to which they refer, by id; contents are not read.

    A text stands for a file that was deleted.

    Raises:
        SessionNotFound, SessionExpired, StoreUnavailable
    """
    messages = [
        InputMessage(
            Role(each["role"]),
            each["content"],
            tuple(InputPart(Part.from_json(part)) for part in each.get("parts", ())),
        )
        for each in stored
    ]
    known = yield from find_files.steps(caller, messages)
    return [_without_deleted(message, known) for message in messages], known


def _without_deleted(message: InputMessage, known: Mapping[str, StoredFile]) -> InputMessage:
    parts = (
        each if not each.part.file_id or each.part.file_id in known else _placeholder(each.part)
        for each in message.parts
    )
    return message._replace(parts=tuple(parts))


def _placeholder(part: Part) -> InputPart:
    return InputPart(Part(PartType.TEXT, part.placeholder))


@store_call
def read_parts(caller: Caller, stored: Iterable[Mapping[str, Any]]) -> Steps[tuple[InputPart, ...]]:
    """Return stored parts with the contents of their files, which are read one by one.

    A text stands for a file that was deleted.

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
