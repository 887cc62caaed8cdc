"""How telling webhooks goes, for all sessions: those that have ended, too."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chat.domain import DeliveryRecord, DeliveryState
from chat.store import listing, outbox
from chat.store.listing import Row

# Deliveries that are named: those that are due next, or that ended last.
SHOWN = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A delivery, and whose it is."""

    session_id: str
    # `None` when it has ended.
    session: Row | None
    record: DeliveryRecord


def counts() -> Mapping[DeliveryState, int]:
    """Return how many there are in each state; of the ended the newest of a day are counted.

    One round trip.

    Raises:
        StoreUnavailable
    """
    return outbox.count_by_state()


def look(state: DeliveryState) -> Sequence[Named]:
    """Return those in a state, `SHOWN` at most; three round trips, however many there are.

    Raises:
        StoreUnavailable
    """
    is_open = state is DeliveryState.WAITING
    found = outbox.next_due(SHOWN) if is_open else outbox.latest_finished(state, SHOWN)
    ids = dict.fromkeys(session_id for session_id, _ in found)
    living = {row.id: row for row in listing.rows(list(ids))}
    return [
        Named(session_id=session_id, session=living.get(session_id), record=record)
        for session_id, record in found
    ]
