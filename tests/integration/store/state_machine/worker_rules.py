"""Rules of workers, with and without a valid lease."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from chat.domain import Claim, FinishReason, FinishResult, Status
from chat.domain.ids import message_number
from chat.store import leases
from tests.integration.store import steps
from tests.integration.store.keyspace import rolled_back
from tests.integration.store.state_machine.base import PICKS, TEXTS, Worker
from tests.integration.store.state_machine.model import Session
from tests.integration.store.state_machine.model_base import ClaimView
from tests.integration.store.state_machine.time_rules import TimeRules

DELAYS = st.sampled_from([0, 600, 4600])
ENDINGS = st.sampled_from(
    [
        (Status.COMPLETED, FinishReason.STOP),
        (Status.INCOMPLETE, FinishReason.LENGTH),
        (Status.FAILED, FinishReason.ERROR),
    ]
)


class WorkerRules(TimeRules):
    """Rules of workers."""

    @rule(pick=PICKS, twice=st.booleans())
    def claim(self, pick: int, twice: bool) -> None:
        self.claim_with(self.session_to_claim(pick), next(self.unused))
        if twice and self.workers:
            self.claim_with_old_nonce(0)

    @precondition(lambda self: self.workers)
    @rule(pick=PICKS)
    def claim_with_old_nonce(self, pick: int) -> None:
        worker = self.worker(pick)
        self.claim_with(worker.session, worker.lease.nonce)

    @precondition(lambda self: self.partition.running)
    @rule()
    def repeat_claim_of_lost_worker(self) -> None:
        worker = self.worker(0)
        self.kill_a_worker()
        self.claim_with(worker.session, worker.lease.nonce)

    @precondition(lambda self: self.session_to_claim(0).can_be_claimed)
    @rule(pick=PICKS, text=TEXTS)
    def answer(self, pick: int, text: str) -> None:
        """Claim and answer a turn, the most common case."""
        session = self.session_to_claim(pick)
        if self.claim_with(session, next(self.unused)):
            self.finish(0, text, (Status.COMPLETED, FinishReason.STOP), twice=False)

    @precondition(lambda self: self.session_to_claim(0).can_be_claimed)
    @rule(pick=PICKS, is_replaced=st.booleans())
    def failover_loses_claim(self, pick: int, is_replaced: bool) -> None:
        """The store loses a claim; the worker does not know."""
        session = self.session_to_claim(pick)
        with rolled_back(self.redis):
            claim = leases.claim(
                session.name, nonce=next(self.unused), worker="host:1", max_tokens=8192
            )
        if claim is not None:
            self.workers.append(Worker(session, claim.lease))
        if is_replaced:
            self.claim_with(session, next(self.unused))

    @precondition(lambda self: self.workers)
    @rule(pick=PICKS, text=st.none() | TEXTS, repeated=st.integers(0, 3))
    def flush(self, pick: int, text: str | None, repeated: int) -> None:
        worker = self.worker(pick)
        delta = None if text is None else worker.next_delta(text, repeated=repeated)
        result = leases.flush([(worker.lease, delta)])[0]
        self.compare(
            lambda: raise_or_return(result),
            lambda: worker.session.flush(worker.lease, worker.text if delta else None),
        )

    @precondition(lambda self: self.workers)
    @rule(pick=PICKS, text=TEXTS, ending=ENDINGS, twice=st.booleans())
    def finish(
        self, pick: int, text: str, ending: tuple[Status, FinishReason], twice: bool
    ) -> None:
        worker, outcome = self.worker(pick), steps.outcome(ending[0])
        delta = worker.next_delta(text)
        for _ in range(1 + twice):
            self.compare(
                lambda: leases.finish(worker.lease, outcome, delta).has_queued_turns,
                lambda: worker.session.finish(worker.lease, worker.text, *ending),
            )

    @precondition(lambda self: self.workers)
    @rule(pick=PICKS, delay=DELAYS, uses_attempt=st.booleans(), twice=st.booleans())
    def retry(self, pick: int, delay: int, uses_attempt: bool, twice: bool) -> None:
        worker, decision = self.worker(pick), steps.retry(delay, uses_attempt=uses_attempt)
        for _ in range(1 + twice):
            self.compare(
                lambda: _has_queued_turns(leases.retry(worker.lease, decision)),
                lambda: worker.session.retry(worker.lease, delay, uses_attempt=uses_attempt),
            )

    # A second name makes hypothesis choose the rule twice as often.
    claim_more = claim
    flush_more = flush

    def claim_with(self, session: Session, nonce: str) -> bool:
        """Claim in store and model; true if the lease is new."""
        claim = leases.claim(session.name, nonce=nonce, worker="host:1", max_tokens=8192)
        assert claim_view(claim) == session.claim(nonce)
        if claim is None:
            return False
        for worker in self.workers:
            if worker.session is session and worker.lease == claim.lease:
                worker.restart_if_reclaimed()
                return False
        self.workers.append(Worker(session, claim.lease))
        return True


def claim_view(claim: Claim | None) -> ClaimView | None:
    if claim is None:
        return None
    history = tuple(message_number(message.id) for message in claim.history)
    return ClaimView(message_number(claim.reply_id), claim.attempt, history)


def raise_or_return(result: bool | Exception) -> bool:
    if isinstance(result, Exception):
        raise result
    return result


def _has_queued_turns(finish: FinishResult | None) -> bool | None:
    return None if finish is None else finish.has_queued_turns
