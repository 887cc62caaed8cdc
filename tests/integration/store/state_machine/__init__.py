"""Any acts in any order, on the store and on a model of it; both must tell the same story.

Time does not pass by itself here: every span of the store is much longer than an example runs, and
sessions are aged by hand, in steps that never end near the end of a span.
"""

from hypothesis.stateful import rule

from chat.store import turns
from tests.integration.store import steps
from tests.integration.store.state_machine.client_rules import ClientRules, accepted_view
from tests.integration.store.state_machine.worker_rules import WorkerRules


class StoreMachine(ClientRules, WorkerRules):
    """Up to three sessions of one partition, their clients, their workers, and time."""


class LostWorkersMachine(WorkerRules):
    """One session whose workers lose it in every way: what comes to pass seldom among all steps."""

    @rule()
    def submit(self) -> None:
        session, asked = self.session(0), steps.submission()
        self.compare(
            lambda: turns.submit(self.caller(session), asked),
            lambda: session.submit(session.token, asked.content, asked),
            accepted_view,
        )
