"""Reads of event logs."""

import itertools
from collections.abc import Callable

from redis import Redis

from chat.domain import Caller, EventBatch
from chat.domain.errors import ParleyError
from chat.store import sessions
from chat.store.events import Position, log_keys, read_logs
from tests.integration.store import steps
from tests.integration.store.time_travel import advance

TTL = 3600


def no_turn(_: Caller) -> None:
    pass


def queue_turn(caller: Caller) -> None:
    steps.submit(caller)


def run_turn(caller: Caller) -> None:
    steps.submit(caller)
    steps.claim(caller)


def snapshot_error(caller: Caller) -> type[ParleyError] | None:
    """Return the error of a script that includes lib/authorize.lua."""
    try:
        sessions.snapshot(caller)
    except ParleyError as error:
        return type(error)
    return None


def log_error(caller: Caller) -> type[ParleyError] | None:
    keys = log_keys(caller.session_id)
    (result,) = read_logs([Position(keys, caller.credential, 0, b"", is_verified=False)])
    return None if isinstance(result, EventBatch) else type(result)


def test_log_reads_and_scripts_authorize_the_same_callers(redis: Redis) -> None:
    """read_logs.lua has a copy of lib/authorize.lua."""
    errors: set[type[ParleyError] | None] = set()
    prepare: Callable[[Caller], None]
    for prepare, age, token in itertools.product(
        (no_turn, queue_turn, run_turn), (0, TTL + 1), ("its own", "wrong", "")
    ):
        owner = steps.create_session(ttl=TTL)
        prepare(owner)
        advance(redis, owner.session_id, age)
        token_hash = owner.credential if token == "its own" else token
        caller = Caller(session_id=owner.session_id, credential=token_hash)
        assert log_error(caller) == snapshot_error(caller), (prepare, age, token)
        errors.add(log_error(caller))
    missing = Caller(session_id="ses_missing", credential="")
    assert log_error(missing) == snapshot_error(missing)
    assert len(errors) == 3  # none, not found, expired
