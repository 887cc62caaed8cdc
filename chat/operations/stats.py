"""How Parley stands as a whole: what waits and runs, what has happened, gates and workers."""

from collections.abc import Sequence
from dataclasses import dataclass

from chat.conversation import llms
from chat.settings import chat_settings
from chat.store import limits, listing, metrics, server
from chat.store.limits import LimiterState
from chat.store.listing import Row
from chat.store.metrics import Tally
from chat.store.server import WorkerFacts

# Running turns that are named, those that have run longest.
SHOWN = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One look at everything."""

    tally: Tally
    # One of each model of the settings.
    gates: Sequence[LimiterState]
    # Those that have shown life within a lease's time.
    workers: Sequence[WorkerFacts]


def look() -> Standing:
    """Look at everything; three round trips, however many sessions there are.

    Raises:
        StoreUnavailable: Redis gives no answer.
    """
    tally = metrics.read()
    return Standing(
        tally=tally,
        gates=limits.states(llms.all_models(), now=tally.now),
        workers=[worker for worker in server.workers() if worker.age < chat_settings.LEASE_TTL],
    )


def running() -> list[tuple[float, Row]]:
    """Return the turns that have run longest: since when, and their sessions.

    At most `SHOWN`; two round trips.

    Raises:
        StoreUnavailable: Redis gives no answer.
    """
    since = {session_id: at for at, session_id in listing.longest("running", SHOWN)}
    return [(since[row.id], row) for row in listing.rows(list(since))]
