"""Steps of Redis's clock: a host that sets its clock changes the meaning of stored times.

All workers share a record of the clock in Redis. A time earlier than the recorded one is a step
back. For a step forward, a worker compares Redis's clock with its own monotonic clock, and with the
record: a time that another worker has recorded shows that the clock did not jump over it.
"""

from dataclasses import dataclass
from time import monotonic
from typing import Any

from chat.store import keys
from chat.store.calls import Steps, send
from chat.store.client import client
from chat.store.routing import Arg
from chat.store.scripts import ScriptCall, milliseconds, read_script

# Seconds. A smaller step back delays turns by no more than that.
MIN_STEP_BACK = 2.0
# Seconds. A smaller step forward shortens leases and deadlines by no more than that.
MIN_STEP_FORWARD = 5.0
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
