"""What workers do to a session, by the model: claims, writes, looks."""

from chat.domain import FinishReason, Lease, RecoveryResult, Status
from chat.domain.errors import LeaseLost, SessionGone
from tests.integration.store.machine.conversation import (
    ATTEMPTS,
    GRACE,
    HOLD,
    Conversation,
    Held,
    Turn,
)


class WorkerActs(Conversation):
    """Acts of workers."""

    def claim(self, nonce: str) -> Held | None:
        if self.is_gone or nonce == self.done:
            return None
        if self.running is None and not self._take_head(nonce):
            return None
        if self.running is None or self.nonce != nonce:
            return None
        return Held(self.running.reply, self.running.attempt, self.history(self.running))

    def _take_head(self, nonce: str) -> bool:
        self._end_overdue()
        turn = self.head
        if turn is None:
            self.due = self.expires
            return False
        if turn.retry_at > self.clock:
            return False
        self.running, self.nonce, self.has_cancel_mark = turn, nonce, False
        self.fence += 1
        turn.status, turn.begun, turn.attempt = Status.IN_PROGRESS, True, turn.attempt + 1
        self.soonest = self.soonest if self.waiting else 0
        self._renew(turn)
        self._tell("message.started", turn)
        return True

    def _held(self, lease: Lease) -> Turn | None:
        """The running turn, if the lease is on it; `None` if its holder has ended it before."""
        if self.is_gone:
            raise SessionGone
        if self.is_held_by(lease):
            return self.running
        if self.done == lease.nonce:
            return None
        raise LeaseLost

    def flush(self, lease: Lease, text: str | None) -> bool:
        """Take the text so far, or a sign of life; True when the turn is to be cancelled."""
        turn = self._held(lease)
        if turn is None:
            raise LeaseLost
        self._say(turn, text or "")
        self._renew(turn)
        return self.has_cancel_mark

    def finish(self, lease: Lease, text: str, status: Status, reason: FinishReason) -> bool:
        """Take the outcome; True when another turn waits."""
        turn = self._held(lease)
        if turn is None:
            return False
        self._say(turn, text)
        self._settle(turn, status, reason)
        self._after_holder(lease, look_in=GRACE)
        return self.waiting > 0

    def retry(self, lease: Lease, delay: int, *, uses_attempt: bool) -> None:
        turn = self._held(lease)
        if turn is None:
            return
        if self.has_cancel_mark:
            self._settle(turn, Status.CANCELLED, FinishReason.CANCELLED)
            self._after_holder(lease, look_in=0)
            return
        turn.attempt -= not uses_attempt
        self._restart(turn, self.clock + delay)
        self.done = lease.nonce
        self._due_by(min(turn.retry_at, turn.deadline))

    def _after_holder(self, lease: Lease, *, look_in: int) -> None:
        self.done = lease.nonce
        self.keep_alive()
        self.due = self.clock + look_in if self.waiting else self.expires

    def swept(self) -> bool:
        """Whether a sweep finds the session due; if so, it is kept from the next one."""
        if self.due > self.clock:
            return False
        self.due = self.clock + HOLD
        return True

    def recover(self) -> RecoveryResult:
        """What a sweep finds, and puts right, in a session that is due."""
        if self.is_gone:
            return RecoveryResult.GONE
        if self.running and self.lease_ends > self.clock:
            self._expire_behind(self.running)
            self._due_by(self.lease_ends)
            return RecoveryResult.LIVE
        if self.running:
            self._recover_from_lost_worker(self.running)
        self._end_overdue()
        if head := self.head:
            self._expire_behind(head)
            if head.retry_at > self.clock:
                self._due_by(min(head.retry_at, head.deadline))
                return RecoveryResult.LIVE
            self.due = self.clock + GRACE
            return RecoveryResult.WAKE
        if self.expires <= self.clock:
            self._vanish()
            return RecoveryResult.EXPIRED
        self.due = self.expires
        return RecoveryResult.LIVE

    def _recover_from_lost_worker(self, turn: Turn) -> None:
        if self.has_cancel_mark:
            self._settle(turn, Status.CANCELLED, FinishReason.CANCELLED)
        elif turn.deadline <= self.clock:
            status = Status.INCOMPLETE if turn.said else Status.FAILED
            self._settle(turn, status, FinishReason.ERROR)
        elif turn.attempt >= ATTEMPTS:
            self._settle(turn, Status.FAILED, FinishReason.ERROR)
        else:
            self._restart(turn, self.clock)
        self.keep_alive()
