"""Webhook deliveries of all sessions, including sessions that have ended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chat.domain import DeliveryGroup, DeliveryRecord
from chat.store import outbox, session_rows
from chat.store.session_rows import SessionRow

# Deliveries per list: those due next, or those that ended last.
MAX_LISTED = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryWithSession:
    """A delivery and its session."""

    session_id: str
    # `None` if it has ended.
    session: SessionRow | None
    record: DeliveryRecord


def counts() -> Mapping[DeliveryGroup, int]:
    """Return the number of deliveries per group; of those that ended, the newest of a day.

    One round trip.

    Raises:
        StoreUnavailable
    """
    return outbox.count_by_group()


def list_deliveries(group: DeliveryGroup) -> Sequence[DeliveryWithSession]:
    """Return at most `MAX_LISTED` deliveries of a group. Three round trips.

    Raises:
        StoreUnavailable
    """
    is_pending = group is DeliveryGroup.PENDING
    pairs = outbox.next_due(MAX_LISTED) if is_pending else outbox.latest_finished(group, MAX_LISTED)
    ids = dict.fromkeys(session_id for session_id, _ in pairs)
    rows = {row.id: row for row in session_rows.rows(list(ids))}
    return [
        DeliveryWithSession(session_id=session_id, session=rows.get(session_id), record=record)
        for session_id, record in pairs
    ]
