"""Rows of lists of sessions: their fields, and the start of their first message."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from chat.store import keys
from chat.store.calls import execute_all
from chat.store.scripts import ScriptCall, read_script
from chat.store.stored_addresses import shown

# Bytes of the first message that a row contains.
PREVIEW_BYTES = 200
# An escape sequence that is cut off.
CUT_ESCAPE = re.compile(rb"(?<!\\)((?:\\\\)*)\\(?:u[0-9a-fA-F]{0,3})?$")
FIELDS = (
    "first_message",
    "created_at",
    "last_active_at",
    "expires_at",
    "running_turn",
    "waiting",
    "tail",
    "seq",
    "attempt",
    "fence",
    "lease_until",
    "worker",
    "cancel_requested",
    "retry_at",
    "name",
    "model",
    "tenant",
    "user",
    "api_key",
    "addresses",
    "errors",
    "error_code",
    "tokens",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRow:
    """A session in a list; times in seconds since the epoch."""

    id: str
    # JSON, as stored.
    name: bytes
    model: bytes
    created_at: float
    last_active_at: float
    expires_at: float
    is_running: bool
    queued_turns: int
    # Message numbers assigned since the last reset.
    message_count: int
    seq: int
    # The attempt of the first turn in the session queue.
    attempt: int
    fence: int
    # The worker that runs the turn; "" if none runs.
    worker: str
    lease_expires_at: float
    # When the first turn in the session queue may be retried; 0 for at once.
    retry_at: float
    is_cancelling: bool
    # Who opened it; each is "" if unknown. See `chat.domain.Identity`.
    tenant: str
    user: str
    api_key: str
    addresses: str
    # The start of its first message.
    preview: str
    # Replies that failed since the last reset, and the error code of the last one, or "".
    errors: int
    error_code: str
    # Of all attempts.
    tokens: int


def rows(session_ids: Sequence[str]) -> list[SessionRow]:
    """Return the sessions that exist, in the given order; one round trip.

    Raises:
        StoreUnavailable
    """
    script = read_script("session_row")
    calls = [
        ScriptCall(script, keys.for_session(session_id)[:2], (PREVIEW_BYTES, *FIELDS))
        for session_id in session_ids
    ]
    replies = execute_all(calls)
    return [
        _row(session_id, text, dict(zip(FIELDS, values, strict=True)))
        for session_id, (text, *values) in zip(session_ids, replies, strict=True)
        if values[0] is not None
    ]


def _row(session_id: str, text_start: bytes, fields: dict[str, Any]) -> SessionRow:
    def number(name: str) -> int:
        return int(fields[name] or 0)

    def text(name: str) -> str:
        return (fields[name] or b"").decode()

    return SessionRow(
        id=session_id,
        name=fields["name"],
        model=fields["model"],
        created_at=number("created_at") / 1000,
        last_active_at=number("last_active_at") / 1000,
        expires_at=number("expires_at") / 1000,
        is_running=number("running_turn") != 0,
        queued_turns=number("waiting"),
        message_count=2 * number("tail") - number("first_message") + 1,
        seq=number("seq"),
        attempt=number("attempt"),
        fence=number("fence"),
        worker=text("worker"),
        lease_expires_at=number("lease_until") / 1000,
        retry_at=number("retry_at") / 1000,
        is_cancelling=number("cancel_requested") == 1,
        tenant=text("tenant"),
        user=text("user"),
        api_key=text("api_key"),
        addresses=shown(text("addresses")),
        preview=_preview(text_start),
        errors=number("errors"),
        error_code=text("error_code"),
        tokens=number("tokens"),
    )


def _preview(text: bytes) -> str:
    """Return the start of a text, from the inside of a JSON string that may be cut anywhere."""
    whole = CUT_ESCAPE.sub(rb"\1", text).decode(errors="ignore")
    return str(orjson.loads(f'"{whole}"'))
