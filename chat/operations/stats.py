"""Statistics of the deployment: queued and running turns, counters, limiters and workers."""

from collections.abc import Sequence
from dataclasses import dataclass

from chat.conversation import llms
from chat.operations import budget_stats
from chat.operations.budget_stats import BudgetStats
from chat.settings import chat_settings
from chat.store import limiter_states, listing, metrics, session_rows, workers
from chat.store.limiter_states import LimiterState
from chat.store.metrics import Metrics
from chat.store.session_rows import SessionRow
from chat.store.workers import WorkerInfo

# Running turns per list.
MAX_LISTED = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """The state of the deployment at one moment."""

    metrics: Metrics
    # One per configured model.
    limiters: Sequence[LimiterState]
    # Workers with a heartbeat within the lease's TTL.
    workers: Sequence[WorkerInfo]
    budgets: BudgetStats


def collect() -> Stats:
    """Return the statistics. At most five round trips, regardless of the number of sessions.

    Raises:
        StoreUnavailable
    """
    current = metrics.read()
    return Stats(
        metrics=current,
        limiters=limiter_states.read(llms.all_models().values(), now=current.now),
        workers=[
            worker for worker in workers.list_workers() if worker.age < chat_settings.LEASE_TTL
        ],
        budgets=budget_stats.collect(now=current.now),
    )


def longest_running() -> list[tuple[float, SessionRow]]:
    """Return the turns that have run longest: start time and session.

    At most `MAX_LISTED`. Two round trips.

    Raises:
        StoreUnavailable
    """
    since = {session_id: at for at, session_id in listing.oldest("running", MAX_LISTED)}
    return [(since[row.id], row) for row in session_rows.rows(list(since))]
