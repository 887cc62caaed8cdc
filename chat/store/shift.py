"""The correction of stored times after Redis's clock has stepped."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from chat.domain import Model
from chat.settings import chat_settings
from chat.store import keys
from chat.store.calls import run, send_all
from chat.store.client import execute_commands
from chat.store.clock import Step
from chat.store.limiter import shift_call
from chat.store.routing import Arg
from chat.store.scripts import (
    ScriptCall,
    key_ttl_margin,
    milliseconds,
    read_script,
    script_call,
)

# Sessions of one round trip.
BATCH_SIZE = 500


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
