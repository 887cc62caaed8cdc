"""What clients and staff do to a session, by the model."""

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
from tests.integration.store.machine.conversation import (
    DEADLINE,
    GRACE,
    INBOX,
    QUEUE,
    Conversation,
    Taken,
    Turn,
)


class ClientActs(Conversation):
    """Acts of clients."""

    def admit(self, token: str) -> None:
        if self.is_gone or token != self.token:
            raise SessionNotFound
        if self.has_expired:
            raise SessionExpired

    def submit(self, token: str, text: str, asked: Submission) -> Taken:
        self.admit(token)
        if asked.key in self.answers:
            return self._first_answer(asked.key, asked.digest)
        if asked.on_busy is OnBusy.REJECT and self.open_turns:
            raise SessionBusy
        if self.waiting >= INBOX:
            raise SessionQueueFull
        if self.partition.waiting >= QUEUE:
            raise QueueFull
        has_ended_one = asked.on_busy is OnBusy.INTERRUPT and self._interrupt()
        prompt = 2 * self.last_turn + 1
        self.texts[prompt] = text
        taken = self._enqueue(prompt, int(asked.deadline), wake=has_ended_one)
        self.answers[asked.key] = (asked.digest, taken)
        return taken

    def regenerate(self, token: str, number: int, key: str, digest: str) -> Taken:
        self.admit(token)
        if key in self.answers:
            return self._first_answer(key, digest)
        prompt, last = self.turn_of(number).prompt, self.turns[-1]
        if last.prompt != prompt:
            raise NotRegenerable
        if last.is_open:
            taken = Taken(prompt, last.reply, self.ahead_of(last), self.is_asleep)
        elif self.partition.waiting >= QUEUE:
            raise QueueFull
        else:
            taken = self._enqueue(prompt, DEADLINE, wake=False)
        self.answers[key] = (digest, taken)
        return taken

    def _first_answer(self, key: str, digest: str) -> Taken:
        known, taken = self.answers[key]
        if known != digest or taken is None:
            raise IdempotencyMismatch
        return Taken(taken.prompt, taken.reply, taken.position, self.is_asleep)

    def _interrupt(self) -> bool:
        """End the running turn, or the one between two attempts; True when it has ended now."""
        if self.running:
            self.has_cancel_mark = True
            return False
        if self.head and self.head.begun:
            self._settle(self.head, Status.CANCELLED, FinishReason.CANCELLED)
            return True
        return False

    def _enqueue(self, prompt: int, deadline: int, *, wake: bool) -> Taken:
        position = len(self.open_turns)
        ends_at = self.clock + deadline
        self.soonest = min(ends_at, self.soonest or ends_at) if self.waiting else ends_at
        if self.head and ends_at < (self.lease_ends if self.running else self.head.retry_at):
            self.due = ends_at
        self.last_turn += 1
        turn = Turn(self.last_turn, prompt, ends_at)
        self.turns.append(turn)
        wants_wake = wake or position == 0
        if wants_wake:
            self.due = self.clock + GRACE
        self.partition.totals["accepted"] += 1
        self._tell("message.queued", turn)
        self.keep_alive()
        return Taken(prompt, turn.reply, position, wants_wake)

    def cancel(self, token: str, number: int) -> tuple[int, bool, bool, bool]:
        """The reply's number, whether it has ended, by this, whether a worker should be told."""
        self.admit(token)
        turn = self.turn_of(number)
        if turn is self.running:
            is_new = not self.has_cancel_mark
            self.has_cancel_mark = True
            return turn.reply, False, is_new, False
        if not turn.is_open:
            return turn.reply, True, False, False
        self._settle(turn, Status.CANCELLED, FinishReason.CANCELLED)
        self.keep_alive()
        if not self.running:
            self.due = self.clock if self.waiting else self.expires
        return turn.reply, True, True, self.is_asleep

    def reset(self, token: str, key: str, digest: str) -> None:
        self.admit(token)
        if key in self.answers:
            known, taken = self.answers[key]
            if known != digest or taken is not None:
                raise IdempotencyMismatch
            return
        for turn in self.open_turns:
            self._settle(turn, Status.CANCELLED, FinishReason.CANCELLED)
        self.turns.clear()
        self.texts.clear()
        self._tell("session.reset")
        self.answers[key] = (digest, None)
        self.keep_alive()
        self.due = self.expires

    def update(self, token: str, ttl: int | None) -> None:
        self.admit(token)
        self.ttl = ttl or self.ttl
        self.touch(token)
        self._tell("session.updated")

    def rotate(self, token: str, new: str) -> None:
        if new == self.token:
            self.admit(new)
            return
        self.admit(token)
        self.token = new
        self._tell("session.updated")
        self.touch(new)

    def touch(self, token: str) -> None:
        self.admit(token)
        self.keep_alive()
        if not self.open_turns:
            self.due = self.expires

    def delete(self, token: str) -> None:
        self.admit(token)
        self.partition.outbox -= {f"{self.name}:{2 * turn}" for turn in range(self.last_turn + 1)}
        self._vanish()

    def expire(self) -> None:
        self.admit(self.token)
        for turn in self.open_turns:
            self._settle(turn, Status.CANCELLED, FinishReason.CANCELLED)
        self.max_at = self.expires = self.due = self.clock

    def requeue(self) -> Requeued:
        """Have the next turn begun at once; tell what has become of it."""
        self.admit(self.token)
        if not self.open_turns:
            return Requeued.IDLE
        word = Requeued.REQUEUED
        if self.running and self.has_cancel_mark:
            word = Requeued.CANCELLED
            self._settle(self.running, Status.CANCELLED, FinishReason.CANCELLED)
        elif self.running:
            self._restart(self.running, self.clock)
        if self.head:
            self.head.retry_at = 0
        self.keep_alive()
        self.due = self.clock + GRACE if self.waiting else self.expires
        return word
