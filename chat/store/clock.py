"""Steps of Redis's clock, and the correction of stored times, whose meaning a step changes.

All workers share a record of the clock in Redis. A time earlier than the recorded one is a step
back. For a step forward, a worker compares Redis's clock with its own monotonic clock, and with the
record: a time that another worker has recorded shows that the clock did not jump over it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

from chat.domain import Model
from chat.settings import chat_settings
from chat.store import keys
from chat.store.calls import Steps, run, send, send_all
from chat.store.client import client, execute_commands
from chat.store.limiter import shift_call
from chat.store.routing import Arg
from chat.store.scripts import ScriptCall, key_ttl_margin, milliseconds, read_script, script_call

# Seconds. A smaller step back delays turns by no more than that.
MIN_STEP_BACK = 2.0
# Seconds. A smaller step forward shortens leases and deadlines by no more than that.
MIN_STEP_FORWARD = 5.0
# Sessions whose times are corrected in one round trip.
BATCH_SIZE = 500
# Seconds after which another worker takes over the correction of a step.
CORRECTION_LEASE = 10.0


@dataclass(frozen=True, slots=True)
class Reading:
    """A time by Redis's clock, ms, and one before it by the monotonic clock, seconds."""

    redis_time: int
    monotonic: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step of Redis's clock that this worker must correct; see lua/lib/shift.lua."""

    # Milliseconds, negative for a step back.
    by: int
    # Milliseconds by Redis's clock.
    since: int
    reading: Reading

    @property
    def seconds(self) -> float:
        return self.by / 1000


class RedisClock:
    """Redis's clock as this process has checked it last."""

    def __init__(self) -> None:
        self._checked: Reading | None = None

    def latest(self) -> int:
        """Return ms that Redis's clock does not exceed unless it has stepped; 0 if unknown."""
        if self._checked is None:
            return 0
        passed = monotonic() - self._checked.monotonic
        return self._checked.redis_time + milliseconds(passed + MIN_STEP_FORWARD)

    def check(self) -> Steps[Step | None]:
        """Record the time; return a step that the caller must correct, before it calls `end`.

        On a Cluster, no steps are found. While another worker corrects a step, nothing is recorded.
        One round trip, and another one after a step forward.

        Raises:
            StoreUnavailable: Redis did not answer.
        """
        if client().topology.is_cluster:  # each node has a clock
            return None
        before = monotonic()
        min_steps = (milliseconds(MIN_STEP_BACK), milliseconds(MIN_STEP_FORWARD))
        lease = milliseconds(CORRECTION_LEASE)
        word, now, *more = yield from _run("advance_clock", *min_steps, self.latest(), lease)
        reading = Reading(now, before)
        if word == b"AHEAD":
            word, now, *more = yield from self._check_ahead(reading, more[0])
        if word == b"STEPPED":
            return Step(by=more[0], since=more[1], reading=reading)
        if word == b"RECORDED":
            self._checked = reading
        return None

    def _check_ahead(self, reading: Reading, recorded: int) -> Steps[list[Any]]:
        """Record a step forward if more time has passed by Redis's clock than in this process."""
        last = self._checked
        if last is None:
            return [b"RECORDED", reading.redis_time]
        # From before the last reading until after this one: more than the time between them.
        passed = milliseconds(monotonic() - last.monotonic)
        # Another worker that has recorded a time since would have seen the step.
        step = reading.redis_time - max(last.redis_time + passed, recorded)
        if step <= milliseconds(MIN_STEP_FORWARD):
            return [b"RECORDED", reading.redis_time]
        args = (recorded, step, last.redis_time + step, milliseconds(CORRECTION_LEASE))
        reply = yield from _run("step_forward", *args)
        return reply

    def end(self, step: Step) -> Steps[None]:
        """Record that stored times are corrected.

        Raises:
            StoreUnavailable: Redis did not answer.
        """
        self._checked = step.reading
        yield from _run("end_step", step.since, self.latest())


# The clock of this process.
redis_clock = RedisClock()


def _run(script: str, *args: Arg) -> Steps[list[Any]]:
    reply: list[Any] = yield from send(ScriptCall(read_script(script), [keys.deployment()], args))
    return reply


def shift_times(step: Step, models: Iterable[Model]) -> None:
    """Correct the times of turns, pending deliveries and model limits, and the expiry of sessions.

    Safe to repeat: times that have been corrected are not corrected again.

    Raises:
        StoreUnavailable: Redis did not answer; some times may be corrected.
    """
    args = (step.by, step.since)
    limiters = [shift_call(model, *args) for model in models]
    active = _members([keys.running, keys.waiting, keys.outbox])
    run(send_all(limiters))
    _shift_sessions(step, dict.fromkeys(active))
    if step.by > 0:
        _shift_idle_sessions(step, set(active))


def _shift_sessions(step: Step, session_ids: Iterable[str]) -> None:
    max_times = (milliseconds(chat_settings.LEASE_TTL), milliseconds(chat_settings.TURN_DEADLINE))
    for batch in _batches(list(session_ids)):
        args = (step.by, step.since, *max_times)
        run(send_all([script_call("shift_session", each, *args) for each in batch]))


def _shift_idle_sessions(step: Step, active: set[str]) -> None:
    """Correct the expiry of all other sessions. Only a step forward ends sessions early."""
    is_long = step.seconds > key_ttl_margin() / 2  # the TTL of their keys must be extended, too
    for partition in range(chat_settings.PARTITIONS):
        idle = [each for each in _members([keys.due], [partition]) if each not in active]
        if is_long:
            _shift_sessions(step, idle)
            continue
        for batch in _batches(idle):
            hashes = [keys.for_session(each).session for each in batch]
            args: list[Arg] = [step.by, step.since, *batch]
            call = ScriptCall(read_script("shift_idle"), [keys.due(partition), *hashes], args)
            run(send_all([call]))


def _members(zsets: Sequence[Any], partitions: Iterable[int] = ()) -> list[str]:
    """Return the session ids in sorted sets of partitions, by default of all; one round trip."""
    commands = [
        ("ZRANGE", zset(partition), 0, -1)
        for zset in zsets
        for partition in partitions or range(chat_settings.PARTITIONS)
    ]
    members = [member.decode() for found in execute_commands(commands) for member in found]
    return [member.partition(":")[0] for member in members]


def _batches(session_ids: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(session_ids), BATCH_SIZE):
        yield session_ids[start : start + BATCH_SIZE]
