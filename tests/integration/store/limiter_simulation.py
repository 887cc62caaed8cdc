"""Sessions that call one model through its limiter, in virtual time: a discrete-event simulation.

The limiter is the real one, in a real Redis. Workers answer wake-ups at once.
"""

import heapq
import itertools
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from chat.domain import CallResult, Model, ModelCaller
from chat.store import limiter
from chat.store.limiter import CallEnd, CallInFlight
from tests.integration.store.virtual_clock import VirtualClock

# Seconds.
WAKE_UP = 0.01
REFRESH = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A turn of a session."""

    length: float
    # Seconds until the model sends something; `inf` for a call that hangs.
    silence: float = 0.2
    result: CallResult = CallResult.OK


@dataclass(slots=True)
class Session:
    caller: ModelCaller
    group: str
    # Turns with the time of their submission.
    turns: deque[tuple[float, Call]] = field(default_factory=deque)
    began_at: float | None = None
    is_silent: bool = True
    # Changes when the session tries, so that an earlier retry has no effect.
    tries: int = 0


class Simulation:
    def __init__(self, clock: VirtualClock, model: Model) -> None:
        self.clock = clock
        self.model = model
        # Waits of turns by group, and slot time by party, in seconds.
        self.waits: dict[str, list[float]] = {}
        self.slot_time: defaultdict[str, float] = defaultdict(float)
        self.calls: Counter[str] = Counter()
        self._sessions: dict[str, Session] = {}
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._number = itertools.count()
        self._at(0, self._refresh)

    def submit(
        self, caller: ModelCaller, call: Call, *, group: str = "", after: float = 0.0
    ) -> None:
        """Submit a turn after this number of seconds."""
        self._at(after, lambda: self._submit(caller, call, group))

    def run(self, seconds: float) -> None:
        end = self.clock.now + seconds
        while self._events and self._events[0][0] <= end:
            moment, _, act = heapq.heappop(self._events)
            self.clock.pass_to(moment)
            act()
        self.clock.pass_to(end)

    @property
    def running(self) -> int:
        """Return the number of running calls."""
        return sum(each.began_at is not None for each in self._sessions.values())

    def percentile(self, group: str, percent: float) -> float:
        """Return a percentile of the waits of a group, including those that still wait."""
        waiting = [
            self.clock.now - at
            for session in self._sessions.values()
            if session.group == group
            for at, _ in session.turns
        ]
        waits = sorted(self.waits.get(group, []) + waiting)
        return waits[min(len(waits) - 1, int(len(waits) * percent / 100))]

    def _at(self, after: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.clock.now + after, next(self._number), act))

    def _submit(self, caller: ModelCaller, call: Call, group: str) -> None:
        session = self._sessions.setdefault(caller.session_id, Session(caller, group))
        session.turns.append((self.clock.now, call))
        if len(session.turns) == 1 and session.began_at is None:
            self._try(session, session.tries)

    def _try(self, session: Session, number: int) -> None:
        if session.began_at is not None or not session.turns or number != session.tries:
            return
        session.tries += 1
        delay, woken = limiter.acquire(self.model, session.caller, tokens=1)
        self._wake(woken)
        if delay is not None:
            latest = session.tries
            self._at(delay.seconds, lambda: self._try(session, latest))
            return
        submitted_at, call = session.turns.popleft()
        session.began_at, session.is_silent = self.clock.now, True
        self.waits.setdefault(session.group, []).append(self.clock.now - submitted_at)
        if call.silence < call.length:
            self._at(call.silence, lambda: self._speak(session))
        self._at(call.length, lambda: self._end(session, call))

    def _speak(self, session: Session) -> None:
        session.is_silent = False
        self._wake(limiter.record_success(self.model, session.caller))

    def _end(self, session: Session, call: Call) -> None:
        assert session.began_at is not None
        duration = self.clock.now - session.began_at
        self.slot_time[session.caller.party] += duration
        self.calls[session.caller.party] += 1
        session.began_at = None
        end = CallEnd(result=call.result, duration=duration)
        self._wake(limiter.release(self.model, session.caller, end))
        if session.turns:
            self._try(session, session.tries)

    def _refresh(self) -> None:
        held = [
            CallInFlight(caller=each.caller, is_silent=each.is_silent)
            for each in self._sessions.values()
            if each.began_at is not None
        ]
        _, woken = limiter.refresh_slots([(self.model, held)])
        self._wake(woken)
        self._at(REFRESH, self._refresh)

    def _wake(self, woken: list[str]) -> None:
        for session_id in woken:
            session = self._sessions[session_id]
            self._at(WAKE_UP, lambda s=session: self._try(s, s.tries))  # type: ignore[misc]
