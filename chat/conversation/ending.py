"""The end of all sessions that one address, API key or user has opened."""

import time
from collections.abc import Iterator

from chat.domain.bans import Subject
from chat.store import audit, listing, openers

# Sessions per round trip.
BATCH_SIZE = 200


def end_sessions(subject: Subject, *, by: str, max_seconds: float = 0.0) -> tuple[int, bool]:
    """Delete the sessions that the subject has opened; return how many, and whether that is all.

    Their open turns are cancelled and their streams are closed. Sessions that are opened in the
    meantime may be left: ban the subject first. The audit log records the number and `by`.

    max_seconds: after which the call returns; 0 for no limit.

    Raises:
        StoreFull, StoreUnavailable: some sessions may be left; the call can be repeated.
    """
    started, ended, is_complete = time.monotonic(), 0, True
    try:
        for batch in _batches(subject):
            ended += openers.delete_many(batch)
            if 0 < max_seconds < time.monotonic() - started:
                is_complete = False
                break
    finally:
        audit.record(actor=by, action=f"Ended {ended:,} sessions.", target=subject.label)
    return ended, is_complete


def count_sessions(subject: Subject) -> int:
    """Return how many sessions the subject has opened.

    Raises:
        StoreUnavailable
    """
    return sum(map(len, _batches(subject)))


def _batches(subject: Subject) -> Iterator[list[str]]:
    """Yield the ids of the subject's sessions: from the index, or by reading all."""
    is_complete = openers.is_index_complete()
    for session_ids in openers.scan(subject) if is_complete else listing.scan():
        for first in range(0, len(session_ids), BATCH_SIZE):
            batch = session_ids[first : first + BATCH_SIZE]
            yield batch if is_complete else openers.find_opened(batch, subject)
