"""What staff can do with any session: list, cancel, requeue, expire, delete, redact, export.

Staff act without a session token. The admin checks their permissions.
"""

from collections.abc import Iterator

import orjson

from chat import broker
from chat.conversation import sessions, turns
from chat.conversation.messages import list_messages
from chat.domain import Caller, Requeued, Status
from chat.domain.errors import SessionExpired, SessionNotFound
from chat.domain.ids import message_number
from chat.settings import chat_settings
from chat.store import admin, listing, session_rows
from chat.store.listing import ANY_TIME, TimeRange
from chat.store.message_json import json_escape
from chat.store.search import reindex as search_index
from chat.store.session_rows import SessionRow

REDACTED = "[redacted]"
# Messages per read of an export.
EXPORT_PAGE = 200


def list_sessions(*, offset: int, limit: int, time_range: TimeRange = ANY_TIME) -> list[SessionRow]:
    """Return sessions, most recently active first.

    Raises:
        StoreUnavailable
    """
    return session_rows.rows(listing.page(offset=offset, limit=limit, time_range=time_range))


def count_sessions(time_range: TimeRange = ANY_TIME) -> int:
    """Return how many sessions were last active in the time range."""
    return listing.count(time_range)


def reindex() -> Iterator[int]:
    """Rebuild the search index; yield the number of sessions indexed per batch.

    Raises:
        StoreUnavailable
    """
    for session_ids in search_index.all_ids():
        search_index.index_sessions(session_ids)
        yield len(session_ids)


def cancel_all(session_id: str) -> tuple[int, int]:
    """Cancel all open turns; return how many were queued and how many are running.

    A running turn ends when its worker reads the request. Turns that were already being cancelled
    are not counted.

    Raises:
        SessionNotFound, SessionExpired, StoreUnavailable
    """
    caller = Caller.internal(session_id)
    limit = 2 * (chat_settings.MAX_QUEUED_TURNS_PER_SESSION + 1)
    messages = [orjson.loads(message) for message in sessions.read(caller, limit=limit).messages]
    open_ids = [message["id"] for message in messages if not Status(message["status"]).is_terminal]
    cancelled = [
        turns.cancel(caller=caller, message_id=message_id) for message_id in reversed(open_ids)
    ]
    changed = [result.has_ended for result in cancelled if result.has_effect]
    return changed.count(True), changed.count(False)


def requeue(session_id: str) -> Requeued:
    """Start the session's next turn now, even if a worker holds it.

    Raises:
        SessionNotFound, SessionExpired, StoreUnavailable
    """
    requeued = admin.requeue(Caller.internal(session_id), grace=chat_settings.WAKE_GRACE)
    if requeued is not Requeued.IDLE:
        broker.wake_session(session_id)
    return requeued


def expire(session_id: str) -> bool:
    """Expire the session now and cancel its open turns; return False if it had expired.

    Raises:
        SessionNotFound, StoreUnavailable
    """
    try:
        admin.expire(Caller.internal(session_id))
    except SessionExpired:
        return False
    return True


def delete(session_id: str) -> None:
    """Delete the session and all its data, if it exists.

    Raises:
        StoreUnavailable
    """
    try:
        sessions.delete(Caller.internal(session_id))
    except (SessionNotFound, SessionExpired):
        return


def redact(session_id: str, message_id: str) -> bool:
    """Erase a message's text from history and event log; return False if it was redacted before.

    Raises:
        SessionBusy: the reply is not finished; cancel it first.
        MessageNotFound, SessionNotFound, SessionExpired, StoreUnavailable
    """
    caller = Caller.internal(session_id)
    return admin.redact(caller, message_number(message_id), json_escape(REDACTED))


def stream_json(session_id: str) -> Iterator[bytes]:
    """Yield the session with all its messages as one line of JSON, in chunks.

    Raises:
        SessionNotFound, SessionExpired, StoreUnavailable
    """
    caller = Caller.internal(session_id)
    head = sessions.read(caller, limit=0)
    yield (
        b'{"id":"%b","name":%b,"model":%b,"system_prompt":%b,"metadata":%b,"created_at":%.3f,'
        b'"last_active_at":%.3f,"messages":['
    ) % (
        session_id.encode(),
        head.name,
        head.model,
        head.system_prompt,
        head.metadata,
        head.created_at,
        head.last_active_at,
    )
    after, has_more = None, True
    while has_more:
        page = list_messages(
            caller, before=None, after=after, limit=EXPORT_PAGE, newest_first=False
        )
        yield (b"," if after and page.messages else b"") + b",".join(page.messages)
        has_more = page.has_more
        if has_more:
            after = str(orjson.loads(page.messages[-1])["id"])
    yield b"]}\n"
