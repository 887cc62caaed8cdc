"""State machines of hypothesis: random operations on the store and on a model of it.

Time does not pass by itself: every duration of the store is much longer than an example runs.
Rules age sessions in steps that never end near the end of a duration.
"""

from hypothesis.stateful import rule

from chat.store import turns
from tests.integration.store import steps
from tests.integration.store.state_machine.client_rules import ClientRules, accepted_view
from tests.integration.store.state_machine.worker_rules import WorkerRules


class StoreMachine(ClientRules, WorkerRules):
    """Up to three sessions of one partition, with clients, workers and time."""


class LostWorkersMachine(WorkerRules):
    """One session whose workers lose their leases, which is rare among all operations."""

    @rule()
    def submit(self) -> None:
        session, submission = self.session(0), steps.submission()
        self.compare(
            lambda: turns.submit(self.caller(session), submission),
            lambda: session.submit(session.token, submission.content, submission),
            accepted_view,
        )
