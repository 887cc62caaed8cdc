"""Rules of time: sessions age, workers die, sweeps recover."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from chat.store import due
from tests.integration.store.state_machine.base import PICKS, BaseMachine
from tests.integration.store.state_machine.model import Session
from tests.integration.store.state_machine.model_base import GRACE, LEASE
from tests.integration.store.time_travel import advance

# Seconds by which a session ages; no duration of the store is a multiple of 400.
SPANS = st.sampled_from([400, 400, 400, 1200, 1200, 3200, 6400])

# Seconds, less than half of `KEY_TTL_MARGIN`.
KEY_TTL_MARGIN = 40_000


class TimeRules(BaseMachine):
    """Rules of time."""

    @rule(pick=PICKS, seconds=SPANS)
    def let_time_pass(self, pick: int, seconds: int) -> None:
        self.advance(self.session(pick), seconds)

    @precondition(lambda self: self.partition.running)
    @rule()
    def kill_a_worker(self) -> None:
        self.advance(self.worker(0).session, LEASE + 200)
        self.sweep_and_recover()

    @rule()
    def sweep_and_recover(self) -> None:
        self.touched |= {session.name for session in self.live}
        due_ids = due.claim_due()
        expected = [session for session in self.live if session.claim_due()]
        assert sorted(due_ids) == sorted(session.name for session in expected)
        results = due.recover(due_ids, grace=GRACE)
        by_name = {session.name: session.recover() for session in expected}
        assert results == [by_name[name] for name in due_ids]
        self.keep_a_live_session()

    @rule(pick=PICKS)
    def recover_too_early(self, pick: int) -> None:
        session = self.session(pick)
        assert due.recover([session.name], grace=GRACE) == [session.recover()]
        self.keep_a_live_session()

    def keep_a_live_session(self) -> None:
        if not self.live:
            self.create_session(2200)

    def advance(self, session: Session, seconds: int) -> None:
        """Age the session, but not beyond the TTL of its keys."""
        if session.clock + seconds < session.expires_at + KEY_TTL_MARGIN:
            advance(self.redis, session.name, seconds)
            session.clock += seconds
