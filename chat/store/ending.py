"""Sessions that one address, API key or user has opened: find them, and delete many at once."""

from collections.abc import Sequence

from chat.domain.bans import Subject
from chat.store import keys, openers, quota
from chat.store.calls import Steps, reply_or_raise, send_all, store_call
from chat.store.scripts import call_with_delivery_keys


@store_call
def find_opened(session_ids: Sequence[str], subject: Subject) -> Steps[list[str]]:
    """Return those of the sessions that the subject has opened; one round trip.

    Raises:
        StoreUnavailable
    """
    replies = yield from send_all(
        [("HMGET", keys.for_session(each).session, *openers.FIELDS) for each in session_ids]
    )
    return [
        session_id
        for session_id, reply in zip(session_ids, replies, strict=True)
        if openers.has_opened(
            subject, openers.labels(*((field or b"").decode() for field in reply_or_raise(reply)))
        )
    ]


@store_call
def delete_many(session_ids: Sequence[str]) -> Steps[int]:
    """Delete the sessions with all their keys; return how many existed. Two round trips.

    Raises:
        StoreUnavailable: some may be left; the call can be repeated.
    """
    replies = yield from send_all(
        [call_with_delivery_keys("delete", session_id, "") for session_id in session_ids]
    )
    ended = [
        (session_id, reply[1])
        for session_id, reply in zip(session_ids, map(reply_or_raise, replies), strict=True)
        if reply[0] == b"DELETED"
    ]
    yield from quota.release.steps(ended)
    return len(ended)
