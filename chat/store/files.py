"""Files of sessions."""

from collections.abc import Sequence
from dataclasses import asdict

import orjson

from chat.domain import Caller
from chat.domain.files import StoredFile
from chat.settings import chat_settings
from chat.store.calls import Steps, send_script, store_call
from chat.store.quota import within_quota
from chat.store.rate_limit import change_rate
from chat.store.scripts import script_call


@store_call
def put(caller: Caller, file: StoredFile, content: bytes) -> Steps[None]:
    """Store a file; one with the same id is stored already.

    Raises:
        SessionFilesFull, SessionFull, RateLimited, AddressQuotaExceeded: nothing was stored.
        StoreFull, SessionNotFound, SessionExpired, StoreUnavailable
    """
    call = script_call(
        "put_file",
        caller.session_id,
        caller.credential,
        file.id,
        description(file),
        content,
        chat_settings.MAX_SESSION_FILE_BYTES,
        *change_rate(caller),
    )
    yield from within_quota(caller.session_id, lambda: send_script(call))


@store_call
def describe(caller: Caller, ids: Sequence[str]) -> Steps[list[StoredFile | None]]:
    """Return the files, `None` for those that do not exist.

    Raises:
        SessionNotFound, SessionExpired, StoreUnavailable
    """
    call = script_call("read_files", caller.session_id, caller.credential, 0, *ids)
    reply = yield from send_script(call)
    return [_parse(found) for found in reply[1::2]]


@store_call
def read(caller: Caller, ids: Sequence[str]) -> Steps[list[tuple[StoredFile, bytes] | None]]:
    """Return the files with their contents, `None` for those that do not exist.

    Raises:
        SessionNotFound, SessionExpired, StoreUnavailable
    """
    call = script_call("read_files", caller.session_id, caller.credential, 1, *ids)
    reply = yield from send_script(call)
    files = map(_parse, reply[1::2])
    return [
        None if file is None else (file, content)
        for file, content in zip(files, reply[2::2], strict=True)
    ]


def description(file: StoredFile) -> bytes:
    """Return what is stored with the content of a file."""
    return orjson.dumps(asdict(file))


def _parse(found: bytes) -> StoredFile | None:
    return StoredFile(**orjson.loads(found)) if found else None
