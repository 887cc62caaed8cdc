"""Snapshots: a session and its newest messages, read at one moment."""

from enum import Enum
from typing import Any

from chat.domain import Caller, Snapshot
from chat.settings import chat_settings
from chat.store.calls import Steps, send_script, store_call
from chat.store.scripts import script_call

# A seq that no session has.
NO_SEQ = -1
# Bytes of messages of a snapshot that is read on the connection that all calls of a loop share.
MAX_SMALL_BYTES = 64 * 1024


@store_call
def read(caller: Caller, *, after: int = -1, limit: int | None = None) -> Steps[Snapshot]:
    """Return the session and its newest messages, with at most `MAX_PAGE_BYTES`.

    after: only messages that changed after this seq; limit: max messages. With `after`, changes
    that exceed the size are left out, and the snapshot's seq is that of the last one it has.
    """
    reply = yield from _send(caller, after, NO_SEQ, limit)
    return _parse(caller, reply)


@store_call
def read_if_changed(
    caller: Caller, *, known: int, after: int = -1, limit: int | None = None
) -> Steps[Snapshot | None]:
    """Return a snapshot, or `None` if the session's seq is still `known`."""
    reply = yield from _send(caller, after, known, limit)
    return None if reply[0] == b"UNCHANGED" else _parse(caller, reply)


class TooLarge(Enum):
    """The result of a poll whose snapshot is too large for the connection of an event loop."""

    TOO_LARGE = "too_large"


@store_call
def read_small(
    caller: Caller, *, known: int, after: int, limit: int
) -> Steps[Snapshot | TooLarge | None]:
    """Do the same as `read_if_changed`, but for at most `MAX_SMALL_BYTES` of messages."""
    reply = yield from _send(caller, after, known, limit, MAX_SMALL_BYTES)
    if reply[0] == b"LARGE":
        return TooLarge.TOO_LARGE
    return None if reply[0] == b"UNCHANGED" else _parse(caller, reply)


def _send(
    caller: Caller, after: int, known: int, limit: int | None, max_small_bytes: int | None = None
) -> Steps[list[Any]]:
    """Return the reply of the script: LARGE if there are more than `max_small_bytes`."""
    limit = chat_settings.PAGE_LIMIT if limit is None else limit
    max_bytes, is_small = chat_settings.MAX_PAGE_BYTES, max_small_bytes is not None
    if max_small_bytes is not None:
        max_bytes = min(max_bytes, max_small_bytes)
    args = (caller.credential, after, known, limit, max_bytes, int(is_small))
    reply = yield from send_script(script_call("snapshot", caller.session_id, *args))
    return reply


def _parse(caller: Caller, result: list[Any]) -> Snapshot:
    now, seq, turn, waiting, created, active, expires, has_more = result[1:9]
    name, model, system_prompt, context, metadata, webhook_url = result[9:15]
    return Snapshot(
        id=caller.session_id,
        now=now / 1000,
        seq=seq,
        is_running=turn != 0,
        queued_turns=waiting,
        created_at=created / 1000,
        last_active_at=active / 1000,
        expires_at=expires / 1000,
        has_more=bool(has_more),
        name=name,
        model=model,
        system_prompt=system_prompt,
        context=context,
        metadata=metadata,
        webhook_url=webhook_url,
        messages=result[15:],
    )
