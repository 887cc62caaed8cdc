"""The state of the model."""

from collections import Counter
from dataclasses import dataclass, field

from chat.domain import FinishReason, Lease, Status
from chat.domain.errors import MessageNotFound

# The deadline of a regenerated turn.
DEADLINE = 3000
LEASE, GRACE, MAX_AGE, SWEEP_HOLD = 1000, 200, 20200, 200
MAX_QUEUED_PER_SESSION, MAX_QUEUED, MAX_ATTEMPTS = 3, 5, 2


@dataclass
class Turn:
    """A user message and the reply to it."""

    number: int
    prompt: int
    deadline: int
    status: Status = Status.QUEUED
    attempt: int = 0
    was_started: bool = False
    retry_at: int = 0
    text: str = ""
    reason: FinishReason | None = None

    @property
    def reply(self) -> int:
        return 2 * self.number

    @property
    def is_open(self) -> bool:
        return not self.status.is_terminal


@dataclass(frozen=True)
class AcceptedView:
    """What a client sees of an accepted turn."""

    prompt: int
    reply: int
    position: int
    needs_wake: bool


@dataclass(frozen=True)
class ClaimView:
    """What a worker sees of a claimed turn."""

    reply: int
    attempt: int
    history: tuple[int, ...]


@dataclass
class Partition:
    """The state that sessions share."""

    sessions: "dict[str, BaseSession]" = field(default_factory=dict)
    totals: Counter[str] = field(default_factory=Counter)
    outbox: set[str] = field(default_factory=set)

    @property
    def waiting(self) -> int:
        return sum(session.waiting for session in self.sessions.values())

    @property
    def running(self) -> int:
        return sum(session.running is not None for session in self.sessions.values())


class BaseSession:
    """The model of one session; `clock` counts its own seconds."""

    def __init__(self, partition: Partition, name: str, token: str, ttl: int) -> None:
        self.partition, self.name, self.token, self.ttl = partition, name, token, ttl
        self.clock = 0
        self.max_expires_at = MAX_AGE
        self.has_webhook = name[-1] in "13579"
        self.is_gone = False
        self.turns: list[Turn] = []
        self.texts: dict[int, str] = {}
        self.last_turn = 0
        self.running: Turn | None = None
        self.fence = 0
        self.nonce = self.finished_nonce = ""
        self.lease_until = 0
        # The earliest deadline of waiting turns, or of one that has ended since.
        self.next_deadline = 0
        self.cancel_requested = False
        self.responses: dict[str, tuple[str, AcceptedView | None]] = {}
        self.log: list[tuple[str, str | None]] = []
        self.keep_alive()
        self.due = self.expires_at
        partition.sessions[name] = self

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
    def needs_wake(self) -> bool:
        """Whether a turn waits and none runs."""
        return not self.running and self.waiting > 0

    @property
    def can_be_claimed(self) -> bool:
        return not self.running and self.head is not None and self.head.retry_at <= self.clock

    def is_held_by(self, lease: Lease) -> bool:
        return bool(self.running) and (self.fence, self.nonce) == (lease.fence, lease.nonce)

    def position_of(self, turn: Turn) -> int:
        return sum(other.number < turn.number for other in self.open_turns)

    def turn_of(self, number: int) -> Turn:
        """Return the turn of a reply or of a user message."""
        for turn in self.turns:
            if number == turn.reply or (number in self.texts and number == turn.reply - 1):
                return turn
        raise MessageNotFound

    def history(self, turn: Turn) -> tuple[int, ...]:
        replies = {turn.reply for turn in self.turns}
        return tuple(sorted(n for n in replies | self.texts.keys() if n <= turn.prompt))

    @property
    def has_expired(self) -> bool:
        """Whether the session has expired; the sweep has not removed it yet."""
        return self.expires_at <= self.clock and not self.open_turns

    def keep_alive(self) -> None:
        self.expires_at = min(self.clock + self.ttl, self.max_expires_at)

    def _finish_overdue(self) -> None:
        while (head := self.head) and head.deadline <= self.clock:
            status = Status.FAILED if head.attempt else Status.EXPIRED
            self._finish(head, status, FinishReason.ERROR)
            self.keep_alive()

    def _expire_behind(self, turn: Turn) -> None:
        if not 0 < self.next_deadline <= self.clock:
            return
        for other in [each for each in self.open_turns if each.number > turn.number]:
            if other.deadline <= self.clock:
                self._finish(other, Status.EXPIRED, FinishReason.ERROR)
                self.keep_alive()
        behind = [each.deadline for each in self.open_turns if each.number > turn.number]
        self.next_deadline = min(behind, default=0)

    def _due_by(self, moment: int) -> None:
        self.due = min(moment, self.next_deadline or moment)

    def _renew(self, turn: Turn) -> None:
        self.lease_until = min(self.clock + LEASE, turn.deadline)
        self._due_by(self.lease_until)

    def _append(self, turn: Turn, text: str) -> None:
        if len(text) > len(turn.text):
            turn.text = text
            self._log("message.delta", turn)

    def _requeue(self, turn: Turn, retry_at: int) -> None:
        turn.status, turn.text, turn.retry_at = Status.QUEUED, "", retry_at
        self.running = None
        self._log("message.restarted", turn)

    def _finish(self, turn: Turn, status: Status, reason: FinishReason) -> None:
        turn.status, turn.reason = status, reason
        self.partition.totals[status] += 1
        if turn is self.running:
            self.running = None
        if self.has_webhook:
            self.partition.outbox.add(f"{self.name}:{turn.reply}")
        self._log(f"message.{status}", turn)

    def _log(self, type_: str, turn: Turn | None = None) -> None:
        self.log.append((type_, f"msg_{turn.reply}" if turn else None))

    def _remove(self) -> None:
        self.is_gone = True
        self.turns.clear()
        self.running = None
        del self.partition.sessions[self.name]
