"""Any acts in any order, on the store and on a model of it; both must tell the same story.

Time does not pass by itself here: every span of the store is much longer than an example runs, and
sessions are aged by hand, in steps that never end near the end of a span.
"""

from hypothesis.stateful import rule

from chat.store import turns
from tests.integration.store import acts
from tests.integration.store.machine.clients import Clients, taken
from tests.integration.store.machine.workers import Workers


class StoreMachine(Clients, Workers):
    """Up to three sessions of one partition, their clients, their workers, and time."""


class LostWorkersMachine(Workers):
    """One session whose workers lose it in every way: what comes to pass seldom among all acts."""

    @rule()
    def submit(self) -> None:
        session, asked = self.session(0), acts.submission()
        self.agree(
            lambda: turns.submit(self.caller(session), asked),
            lambda: session.submit(session.token, asked.content, asked),
            taken,
        )
