"""What the store is to do, in plain Python: one object a session, time as whole seconds.

It knows nothing of Redis, scripts, scores or keys. Each act takes what the store's act takes,
raises what that raises, and gives what a caller can see of the answer.
"""

from collections import Counter
from dataclasses import dataclass, field

from chat.domain import FinishReason, Lease, Look, OnBusy, Status, Submission
from chat.errors import (
    IdempotencyMismatch,
    InboxFull,
    LeaseLost,
    MessageNotFound,
    NotRegenerable,
    QueueFull,
    SessionBusy,
    SessionExpired,
    SessionGone,
    SessionNotFound,
)

DEADLINE = 3000
"""Of a regenerated turn."""
LEASE, GRACE, MAX_AGE, HOLD = 1000, 200, 20200, 200
INBOX, QUEUE, ATTEMPTS = 3, 5, 2


@dataclass
class Turn:
    """A user message and the reply to it."""

    number: int
    prompt: int
    deadline: int
    status: Status = Status.QUEUED
    attempt: int = 0
    begun: bool = False
    retry_at: int = 0
    said: str = ""
    reason: FinishReason | None = None

    @property
    def reply(self) -> int:
        return 2 * self.number

    @property
    def is_open(self) -> bool:
        return not self.status.is_terminal


@dataclass(frozen=True)
class Taken:
    """What a client is told of a turn that was accepted, now or at first."""

    prompt: int
    reply: int
    position: int
    wants_wake: bool


@dataclass(frozen=True)
class Held:
    """What a worker is told of a turn that it has claimed."""

    reply: int
    attempt: int
    history: tuple[int, ...]


@dataclass
class Partition:
    """What sessions share."""

    sessions: "dict[str, Session]" = field(default_factory=dict)
    totals: Counter[str] = field(default_factory=Counter)

    @property
    def waiting(self) -> int:
        return sum(session.waiting for session in self.sessions.values())

    @property
    def running(self) -> int:
        return sum(session.running is not None for session in self.sessions.values())


class Session:
    """One conversation; `clock` counts its own seconds."""

    def __init__(self, partition: Partition, name: str, token: str, ttl: int) -> None:
        self.partition, self.name, self.token, self.ttl = partition, name, token, ttl
        self.clock = 0
        self.is_gone = False
        self.turns: list[Turn] = []
        self.texts: dict[int, str] = {}
        self.last_turn = 0
        self.running: Turn | None = None
        self.fence = 0
        self.nonce = self.done = ""
        self.lease_ends = 0
        self.has_cancel_mark = False
        self.answers: dict[str, tuple[str, Taken | None]] = {}
        self.log: list[tuple[str, str | None]] = []
        self.keep_alive()
        self.due = self.expires
        partition.sessions[name] = self

    # What can be asked of it ---------------------------------------------------------------------

    @property
    def open_turns(self) -> list[Turn]:
        return [turn for turn in self.turns if turn.is_open]

    @property
    def waiting(self) -> int:
        return sum(turn.status is Status.QUEUED for turn in self.turns)

    @property
    def head(self) -> Turn | None:
        return next(iter(self.open_turns), None)

    @property
    def is_asleep(self) -> bool:
        """A turn waits and no worker is on the session."""
        return not self.running and self.waiting > 0

    @property
    def wants_a_worker(self) -> bool:
        return not self.running and self.head is not None and self.head.retry_at <= self.clock

    def is_held_by(self, lease: Lease) -> bool:
        return bool(self.running) and (self.fence, self.nonce) == (lease.fence, lease.nonce)

    def ahead_of(self, turn: Turn) -> int:
        return sum(other.number < turn.number for other in self.open_turns)

    def turn_of(self, number: int) -> Turn:
        """The turn of a reply or of a user message."""
        for turn in self.turns:
            if number == turn.reply or (number in self.texts and number == turn.reply - 1):
                return turn
        raise MessageNotFound

    def history(self, turn: Turn) -> tuple[int, ...]:
        replies = {turn.reply for turn in self.turns}
        return tuple(sorted(n for n in replies | self.texts.keys() if n <= turn.prompt))

    @property
    def has_expired(self) -> bool:
        """Nobody may use it any more; a sweep has yet to remove it."""
        return self.expires <= self.clock and not self.open_turns

    # What clients do -----------------------------------------------------------------------------

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
            raise InboxFull
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
        self.last_turn += 1
        turn = Turn(self.last_turn, prompt, self.clock + deadline)
        self.turns.append(turn)
        wants_wake = wake or position == 0
        if wants_wake:
            self.due = self.clock + GRACE
        self.partition.totals["accepted"] += 1
        self._tell("message.queued", turn)
        self.keep_alive()
        return Taken(prompt, turn.reply, position, wants_wake)

    def cancel(self, token: str, number: int) -> tuple[int, bool, bool]:
        """The reply's number, whether it has ended, whether a worker should be told."""
        self.admit(token)
        turn = self.turn_of(number)
        if turn is self.running:
            self.has_cancel_mark = True
            return turn.reply, False, False
        if not turn.is_open:
            return turn.reply, True, False
        self._settle(turn, Status.CANCELLED, FinishReason.CANCELLED)
        self.keep_alive()
        if not self.running:
            self.due = self.clock if self.waiting else self.expires
        return turn.reply, True, self.is_asleep

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
        if new != self.token:
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
        self._vanish()

    # What workers do -----------------------------------------------------------------------------

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
        self.due = min(turn.retry_at, turn.deadline)

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

    def recover(self) -> Look:
        """What a sweep finds, and puts right, in a session that is due."""
        if self.is_gone:
            return Look.GONE
        if self.running and self.lease_ends > self.clock:
            self.due = self.lease_ends
            return Look.LIVE
        if self.running:
            self._recover_from_lost_worker(self.running)
        self._end_overdue()
        if head := self.head:
            is_later = head.retry_at > self.clock
            wished = head.retry_at if is_later else self.clock + GRACE
            self.due = min(wished, head.deadline) if is_later else wished
            return Look.LIVE if is_later else Look.WAKE
        if self.expires <= self.clock:
            self._vanish()
            return Look.EXPIRED
        self.due = self.expires
        return Look.LIVE

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

    # What happens to it --------------------------------------------------------------------------

    def keep_alive(self) -> None:
        self.expires = min(self.clock + self.ttl, MAX_AGE)

    def _end_overdue(self) -> None:
        while (head := self.head) and head.deadline <= self.clock:
            status = Status.FAILED if head.attempt else Status.EXPIRED
            self._settle(head, status, FinishReason.ERROR)
            self.keep_alive()

    def _renew(self, turn: Turn) -> None:
        self.due = self.lease_ends = min(self.clock + LEASE, turn.deadline)

    def _say(self, turn: Turn, text: str) -> None:
        if len(text) > len(turn.said):
            turn.said = text
            self._tell("message.delta", turn)

    def _restart(self, turn: Turn, retry_at: int) -> None:
        turn.status, turn.said, turn.retry_at = Status.QUEUED, "", retry_at
        self.running = None
        self._tell("message.restarted", turn)

    def _settle(self, turn: Turn, status: Status, reason: FinishReason) -> None:
        turn.status, turn.reason = status, reason
        self.partition.totals[status] += 1
        if turn is self.running:
            self.running = None
        self._tell(f"message.{status}", turn)

    def _tell(self, type_: str, turn: Turn | None = None) -> None:
        self.log.append((type_, f"msg_{turn.reply}" if turn else None))

    def _vanish(self) -> None:
        self.is_gone = True
        self.turns.clear()
        self.running = None
        del self.partition.sessions[self.name]
