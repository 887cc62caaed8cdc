"""Steps of Redis's clock: a host that sets its clock back changes the meaning of stored times.

A step forward needs no correction: it counts as time that has passed.
"""

from collections.abc import Iterable
from typing import Any

from chat.domain import Model
from chat.settings import chat_settings
from chat.store import keys
from chat.store.client import client, map_redis_errors
from chat.store.scripts import (
    ScriptCall,
    milliseconds,
    read_script,
    run_pipeline,
    run_script,
    script_call,
)

# Seconds. A smaller step delays turns by no more than that.
MIN_STEP = 2.0
# Scripts of one round trip.
BATCH_SIZE = 500


def advance() -> float:
    """Record the time; return the seconds by which the clock has stepped back since the last call.

    All workers share the record. The step is returned until `forget` is called. One round trip.

    Raises:
        StoreUnavailable: Redis did not answer.
    """
    call = ScriptCall(read_script("advance_clock"), [keys.deployment()], [milliseconds(MIN_STEP)])
    with map_redis_errors():
        step: int = run_script(client(), call)
    return step / 1000


def forget() -> None:
    """Let the next `advance` record the time, whatever it is.

    Raises:
        StoreUnavailable: Redis did not answer.
    """
    with map_redis_errors():
        client().hdel(keys.deployment(), "clock")


def shift_times(step: float, models: Iterable[Model]) -> None:
    """Correct the times of open turns, pending deliveries and model limits.

    Safe to repeat: times that have been corrected are not corrected again.

    step: seconds by which the clock has stepped back.

    Raises:
        StoreUnavailable: Redis did not answer; some times may be corrected.
    """
    by = milliseconds(step)
    calls = [script_call("shift_session", session_id, by) for session_id in _open_sessions()]
    calls += [
        ScriptCall(read_script("shift_limiter"), keys.limiter(model.name), [by]) for model in models
    ]
    with map_redis_errors():
        for start in range(0, len(calls), BATCH_SIZE):
            run_pipeline(client(), calls[start : start + BATCH_SIZE])


def _open_sessions() -> set[str]:
    """Return the sessions with an open turn or a pending delivery; one round trip."""
    pipeline: Any = client().pipeline(transaction=False)
    for partition in range(chat_settings.PARTITIONS):
        for key in (keys.running(partition), keys.waiting(partition), keys.outbox(partition)):
            pipeline.zrange(key, 0, -1)
    with map_redis_errors():
        members = [member.decode() for found in pipeline.execute() for member in found]
    return {member.partition(":")[0] for member in members}
