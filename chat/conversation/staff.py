"""What staff may do beyond what a session's owner may: look through all sessions, and step in.

Staff act as Parley itself. Whether they may is asked where they are known: in the admin.
"""

from collections.abc import Iterator

import orjson

from chat import broker
from chat.conversation import sessions, turns
from chat.domain import Caller, Requeued, Status
from chat.domain.errors import SessionExpired, SessionNotFound
from chat.domain.ids import message_number
from chat.settings import chat_settings
from chat.store import admin, listing, rate_limit
from chat.store import reindex as search_index
from chat.store.listing import ALWAYS, Row, Span
from chat.store.message_json import json_escape

REDACTED = "[redacted]"
TRIES_PER_MINUTE = 6
# Attempts at one account, and from one address, to sign in.
TRIES_AT_ONCE = 10
# Messages read at once.
EXPORT_PAGE = 200


def recent(*, offset: int, limit: int, span: Span = ALWAYS) -> list[Row]:
    """Return sessions, those of the latest activity first.

    Raises:
        StoreUnavailable
    """
    return listing.rows(listing.page(offset=offset, limit=limit, span=span))


def count(span: Span = ALWAYS) -> int:
    """Return how many sessions were last active in the span."""
    return listing.count(span)


def reindex() -> Iterator[int]:
    """Note anew what each session is searched by; yield how many were looked at since.

    Raises:
        StoreUnavailable
    """
    for session_ids in search_index.all_ids():
        search_index.note(session_ids)
        yield len(session_ids)


def cancel_open(session_id: str) -> tuple[int, int]:
    """Cancel all turns of the session; return how many that waited, and how many that run.

    A running one ends as soon as its worker hears of it; if it was asked to before, it counts not.

    Raises:
        SessionNotFound, SessionExpired, StoreUnavailable
    """
    caller = Caller(session_id=session_id)
    latest = sessions.read(
        caller, limit=2 * (chat_settings.MAX_QUEUED_TURNS_PER_SESSION + 1)
    ).messages
    replies = [orjson.loads(message) for message in latest]
    open_ids = [reply["id"] for reply in replies if not Status(reply["status"]).is_terminal]
    told = [turns.cancel(caller=caller, message_id=each) for each in reversed(open_ids)]
    new = [each.is_final for each in told if each.is_new]
    return new.count(True), new.count(False)


def requeue(session_id: str) -> Requeued:
    """Have the session's next turn begun at once, be it taken from its worker.

    Raises:
        SessionNotFound, SessionExpired, StoreUnavailable
    """
    requeued = admin.requeue(Caller(session_id=session_id), grace=chat_settings.WAKE_GRACE)
    if requeued is not Requeued.IDLE:
        broker.wake_session(session_id)
    return requeued


def expire(session_id: str) -> bool:
    """End the session as if its time were up; what is open is cancelled. False if it was over.

    Raises:
        SessionNotFound, StoreUnavailable
    """
    try:
        admin.expire(Caller(session_id=session_id))
    except SessionExpired:
        return False
    return True


def delete(session_id: str) -> None:
    """Remove every trace of the session, if there is one.

    Raises:
        StoreUnavailable
    """
    try:
        sessions.delete(Caller(session_id=session_id))
    except (SessionNotFound, SessionExpired):
        return


def redact(session_id: str, message_id: str) -> bool:
    """Take a message's text away for good, from the history and from the log; false if it was.

    Raises:
        SessionBusy: the reply is not over; cancel it first.
        MessageNotFound, SessionNotFound, SessionExpired, StoreUnavailable
    """
    caller = Caller(session_id=session_id)
    return admin.redact(caller, message_number(message_id), json_escape(REDACTED))


def export(session_id: str) -> Iterator[bytes]:
    """Yield the session with all its messages as one line of JSON, in pieces.

    Raises:
        SessionNotFound, SessionExpired, StoreUnavailable
    """
    caller = Caller(session_id=session_id)
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
        page = sessions.page(
            caller, before=None, after=after, limit=EXPORT_PAGE, newest_first=False
        )
        yield (b"," if after and page.messages else b"") + b",".join(page.messages)
        has_more = page.has_more
        if has_more:
            after = str(orjson.loads(page.messages[-1])["id"])
    yield b"]}\n"


def pace_sign_in(*, username: str, address: str) -> None:
    """Let an attempt to sign in pass, or refuse it.

    Raises:
        RateLimited: too many came for this account or from this address.
        StoreUnavailable
    """
    for scope, caller in (("admin-address", address), ("admin-account", _digest(username))):
        rate_limit.throttle(scope, caller, per_minute=TRIES_PER_MINUTE, burst=TRIES_AT_ONCE)


def _digest(username: str) -> str:
    return sessions.digest("account", username.casefold())
