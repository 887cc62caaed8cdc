"""Operations of workers, in the model."""

from chat.domain import FinishReason, Lease, RecoveryResult, Status
from chat.domain.errors import LeaseLost, SessionGone
from tests.integration.store.state_machine.model_base import (
    GRACE,
    LEASE,
    MAX_ATTEMPTS,
    SWEEP_HOLD,
    BaseSession,
    ClaimView,
    Turn,
)


class WorkerOperations(BaseSession):
    """Operations of workers."""

    def claim(self, nonce: str) -> ClaimView | None:
        if self.is_gone or nonce == self.finished_nonce:
            return None
        if self.running is None and not self._take_head(nonce):
            return None
        if self.running is None or self.nonce != nonce:
            return None
        return ClaimView(self.running.reply, self.running.attempt, self.history(self.running))

    def _take_head(self, nonce: str) -> bool:
        self._finish_overdue()
        turn = self.head
        if turn is None:
            self.due = self.expires_at
            return False
        if turn.retry_at > self.clock:
            return False
        self.running, self.nonce, self.cancel_requested = turn, nonce, False
        self.fence += 1
        turn.status, turn.was_started, turn.attempt = Status.IN_PROGRESS, True, turn.attempt + 1
        self.next_deadline = self.next_deadline if self.waiting else 0
        self._renew(turn)
        self._log("message.started", turn)
        return True

    def _check_lease(self, lease: Lease) -> Turn | None:
        """Return the running turn if the lease is valid, `None` if its holder has finished it."""
        if self.is_gone:
            raise SessionGone
        if self.is_held_by(lease):
            return self.running
        if self.finished_nonce == lease.nonce:
            return None
        raise LeaseLost

    def flush(self, lease: Lease, text: str | None) -> bool:
        """Store the text so far; true if the turn must be cancelled.

        Without text, or after a third of the lease, renew it.
        """
        turn = self._check_lease(lease)
        if turn is None:
            raise LeaseLost
        self._append(turn, text or "")
        if text is None or self.lease_until < self.clock + LEASE * 2 / 3:
            self._renew(turn)
        return self.cancel_requested

    def finish(self, lease: Lease, text: str, status: Status, reason: FinishReason) -> bool:
        """Store the outcome; true if another turn waits."""
        turn = self._check_lease(lease)
        if turn is None:
            return False
        self._append(turn, text)
        self._finish(turn, status, reason)
        self._after_finish(lease, grace=GRACE)
        return self.waiting > 0

    def retry(self, lease: Lease, delay: int, *, uses_attempt: bool) -> bool | None:
        """Requeue the turn. If it is cancelled instead: true if another turn waits."""
        turn = self._check_lease(lease)
        if turn is None:
            return None
        if self.cancel_requested:
            self._finish(turn, Status.CANCELLED, FinishReason.CANCELLED)
            self._after_finish(lease, grace=0)
            return self.waiting > 0
        turn.attempt -= not uses_attempt
        self._requeue(turn, self.clock + delay)
        self.finished_nonce = lease.nonce
        self._due_by(min(turn.retry_at, turn.deadline))
        return None

    def _after_finish(self, lease: Lease, *, grace: int) -> None:
        self.finished_nonce = lease.nonce
        self.keep_alive()
        self.due = self.clock + grace if self.waiting else self.expires_at

    def claim_due(self) -> bool:
        """Whether a sweep finds the session due; if so, postpone it."""
        if self.due > self.clock:
            return False
        self.due = self.clock + SWEEP_HOLD
        return True

    def recover(self) -> RecoveryResult:
        """Check a session that is due, and repair it."""
        if self.is_gone:
            return RecoveryResult.GONE
        if self.running and self.lease_until > self.clock:
            self._expire_behind(self.running)
            self._due_by(self.lease_until)
            return RecoveryResult.LIVE
        if self.running:
            self._recover_lost_turn(self.running)
        self._finish_overdue()
        if head := self.head:
            self._expire_behind(head)
            if head.retry_at > self.clock:
                self._due_by(min(head.retry_at, head.deadline))
                return RecoveryResult.LIVE
            self.due = self.clock + GRACE
            return RecoveryResult.WAKE
        if self.expires_at <= self.clock:
            self._remove()
            return RecoveryResult.EXPIRED
        self.due = self.expires_at
        return RecoveryResult.LIVE

    def _recover_lost_turn(self, turn: Turn) -> None:
        if self.cancel_requested:
            self._finish(turn, Status.CANCELLED, FinishReason.CANCELLED)
        elif turn.deadline <= self.clock:
            status = Status.INCOMPLETE if turn.text else Status.FAILED
            self._finish(turn, status, FinishReason.ERROR)
        elif turn.attempt >= MAX_ATTEMPTS:
            self._finish(turn, Status.FAILED, FinishReason.ERROR)
        else:
            self._requeue(turn, self.clock)
        self.keep_alive()
