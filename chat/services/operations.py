"""How Parley stands as a whole: what waits and runs, what has happened, gates and workers."""

from collections.abc import Sequence
from dataclasses import dataclass

from chat.conf import knobs
from chat.services import models
from chat.store import gates, listing, server, tallies
from chat.store.gates import GateState
from chat.store.listing import Row
from chat.store.server import WorkerFacts
from chat.store.tallies import Tally

SHOWN = 50
"""Running turns that are named, those that have run longest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One look at everything."""

    tally: Tally
    gates: Sequence[GateState]
    """One of each model of the settings."""
    workers: Sequence[WorkerFacts]
    """Those that have shown life within a lease's time."""


def look() -> Standing:
    """Look at everything; three round trips, however many sessions there are.

    Raises:
        StoreUnavailable: Redis gives no answer.
    """
    tally = tallies.read()
    return Standing(
        tally=tally,
        gates=gates.states(models.all_models(), now=tally.now),
        workers=[worker for worker in server.workers() if worker.age < knobs.LEASE],
    )


def running() -> list[tuple[float, Row]]:
    """Return the turns that have run longest: since when, and their sessions.

    At most `SHOWN`; two round trips.

    Raises:
        StoreUnavailable: Redis gives no answer.
    """
    since = {session_id: at for at, session_id in listing.longest("running", SHOWN)}
    return [(since[row.id], row) for row in listing.rows(list(since))]
