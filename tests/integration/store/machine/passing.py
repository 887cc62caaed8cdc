"""How time passes, and what is looked at when it has."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from chat.store import due
from tests.integration.store.ageing import age
from tests.integration.store.machine.conversation import GRACE, LEASE
from tests.integration.store.machine.model import Session
from tests.integration.store.machine.stage import PICKS, Stage

SPANS = st.sampled_from([400, 400, 400, 1200, 1200, 3200, 6400])
"""Seconds by which a session is aged; no span of the store is a multiple of 400."""

KEYS_LAST = 40_000
"""Seconds; less than half of `KEY_MARGIN`."""


class Passing(Stage):
    """Rules of time."""

    @rule(pick=PICKS, seconds=SPANS)
    def time_passes(self, pick: int, seconds: int) -> None:
        self.let_pass(self.session(pick), seconds)

    @precondition(lambda self: self.partition.running)
    @rule()
    def a_worker_dies(self) -> None:
        self.let_pass(self.worker(0).session, LEASE + 200)
        self.sweep_and_recover()

    @rule()
    def sweep_and_recover(self) -> None:
        self.touched |= {session.name for session in self.live}
        found = due.claim_due()
        expected = [session for session in self.live if session.swept()]
        assert sorted(found) == sorted(session.name for session in expected)
        looks = due.recover(found, grace=GRACE)
        by_name = {session.name: session.recover() for session in expected}
        assert looks == [by_name[name] for name in found]
        self.have_one_at_least()

    @rule(pick=PICKS)
    def look_too_early(self, pick: int) -> None:
        session = self.session(pick)
        assert due.recover([session.name], grace=GRACE) == [session.recover()]
        self.have_one_at_least()

    def have_one_at_least(self) -> None:
        if not self.live:
            self.open(2200)

    def let_pass(self, session: Session, seconds: int) -> None:
        """Age the session, but not until the TTL of its keys ends it: that only workers do here."""
        if session.clock + seconds < session.expires + KEYS_LAST:
            age(self.redis, session.name, seconds)
            session.clock += seconds
