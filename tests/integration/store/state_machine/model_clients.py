"""Operations of clients and staff, in the model."""

from chat.domain import FinishReason, OnBusy, Requeued, Status, Submission
from chat.domain.errors import (
    IdempotencyMismatch,
    NotRegenerable,
    QueueFull,
    SessionBusy,
    SessionExpired,
    SessionNotFound,
    SessionQueueFull,
)
from tests.integration.store.state_machine.model_base import (
    DEADLINE,
    GRACE,
    MAX_QUEUED,
    MAX_QUEUED_PER_SESSION,
    AcceptedView,
    BaseSession,
    Turn,
)


class ClientOperations(BaseSession):
    """Operations of clients and staff."""

    def authorize(self, token: str) -> None:
        if self.is_gone or token != self.token:
            raise SessionNotFound
        if self.has_expired:
            raise SessionExpired

    def submit(self, token: str, text: str, submission: Submission) -> AcceptedView:
        self.authorize(token)
        if submission.key in self.responses:
            return self._first_response(submission.key, submission.digest)
        if submission.on_busy is OnBusy.REJECT and self.open_turns:
            raise SessionBusy
        if self.waiting >= MAX_QUEUED_PER_SESSION:
            raise SessionQueueFull
        if self.partition.waiting >= MAX_QUEUED:
            raise QueueFull
        was_cancelled = submission.on_busy is OnBusy.INTERRUPT and self._interrupt()
        prompt = 2 * self.last_turn + 1
        self.texts[prompt] = text
        accepted = self._enqueue(prompt, int(submission.deadline), wake=was_cancelled)
        self.responses[submission.key] = (submission.digest, accepted)
        return accepted

    def regenerate(self, token: str, number: int, key: str, digest: str) -> AcceptedView:
        self.authorize(token)
        if key in self.responses:
            return self._first_response(key, digest)
        prompt, last = self.turn_of(number).prompt, self.turns[-1]
        if last.prompt != prompt:
            raise NotRegenerable
        if last.is_open:
            accepted = AcceptedView(prompt, last.reply, self.position_of(last), self.needs_wake)
        elif self.partition.waiting >= MAX_QUEUED:
            raise QueueFull
        else:
            accepted = self._enqueue(prompt, DEADLINE, wake=False)
        self.responses[key] = (digest, accepted)
        return accepted

    def _first_response(self, key: str, digest: str) -> AcceptedView:
        first_digest, accepted = self.responses[key]
        if first_digest != digest or accepted is None:
            raise IdempotencyMismatch
        return AcceptedView(accepted.prompt, accepted.reply, accepted.position, self.needs_wake)

    def _interrupt(self) -> bool:
        """Cancel the running turn or the one between two attempts; true if it has ended."""
        if self.running:
            self.cancel_requested = True
            return False
        if self.head and self.head.was_started:
            self._finish(self.head, Status.CANCELLED, FinishReason.CANCELLED)
            return True
        return False

    def _enqueue(self, prompt: int, deadline: int, *, wake: bool) -> AcceptedView:
        position = len(self.open_turns)
        ends_at = self.clock + deadline
        self.next_deadline = (
            min(ends_at, self.next_deadline or ends_at) if self.waiting else ends_at
        )
        if self.head and ends_at < (self.lease_until if self.running else self.head.retry_at):
            self.due = ends_at
        self.last_turn += 1
        turn = Turn(self.last_turn, prompt, ends_at)
        self.turns.append(turn)
        wants_wake = wake or position == 0
        if wants_wake:
            self.due = self.clock + GRACE
        self.partition.totals["accepted"] += 1
        self._log("message.queued", turn)
        self.keep_alive()
        return AcceptedView(prompt, turn.reply, position, wants_wake)

    def cancel(self, token: str, number: int) -> tuple[int, bool, bool, bool]:
        """Return the reply, whether it has ended, whether this call changed it, and needs_wake."""
        self.authorize(token)
        turn = self.turn_of(number)
        if turn is self.running:
            is_new = not self.cancel_requested
            self.cancel_requested = True
            return turn.reply, False, is_new, False
        if not turn.is_open:
            return turn.reply, True, False, False
        self._finish(turn, Status.CANCELLED, FinishReason.CANCELLED)
        self.keep_alive()
        if not self.running:
            self.due = self.clock if self.waiting else self.expires_at
        return turn.reply, True, True, self.needs_wake

    def reset(self, token: str, key: str, digest: str) -> None:
        self.authorize(token)
        if key in self.responses:
            first_digest, accepted = self.responses[key]
            if first_digest != digest or accepted is not None:
                raise IdempotencyMismatch
            return
        for turn in self.open_turns:
            self._finish(turn, Status.CANCELLED, FinishReason.CANCELLED)
        self.turns.clear()
        self.texts.clear()
        self._log("session.reset")
        self.responses[key] = (digest, None)
        self.keep_alive()
        self.due = self.expires_at

    def update(self, token: str, ttl: int | None) -> None:
        self.authorize(token)
        self.ttl = ttl or self.ttl
        self.touch(token)
        self._log("session.updated")

    def rotate(self, token: str, new: str) -> None:
        if new == self.token:
            self.authorize(new)
            return
        self.authorize(token)
        self.token = new
        self._log("session.updated")
        self.touch(new)

    def touch(self, token: str) -> None:
        self.authorize(token)
        self.keep_alive()
        if not self.open_turns:
            self.due = self.expires_at

    def delete(self, token: str) -> None:
        self.authorize(token)
        self.partition.outbox -= {f"{self.name}:{2 * turn}" for turn in range(self.last_turn + 1)}
        self._remove()

    def expire(self) -> None:
        self.authorize(self.token)
        for turn in self.open_turns:
            self._finish(turn, Status.CANCELLED, FinishReason.CANCELLED)
        self.max_expires_at = self.expires_at = self.due = self.clock

    def requeue(self) -> Requeued:
        """Make the next turn available at once."""
        self.authorize(self.token)
        if not self.open_turns:
            return Requeued.IDLE
        result = Requeued.REQUEUED
        if self.running and self.cancel_requested:
            result = Requeued.CANCELLED
            self._finish(self.running, Status.CANCELLED, FinishReason.CANCELLED)
        elif self.running:
            self._requeue(self.running, self.clock)
        if self.head:
            self.head.retry_at = 0
        self.keep_alive()
        self.due = self.clock + GRACE if self.waiting else self.expires_at
        return result
