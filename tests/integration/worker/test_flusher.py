"""The flusher with a real store, and its handling of errors."""

from redis import Redis

from chat.domain import Caller, StopCause, Timeouts
from chat.store import keys
from chat.worker.active_turns import ActiveTurn
from chat.worker.flusher import flush
from tests.integration.store import steps
from tests.integration.worker.turns import on_loop


def start_turn() -> tuple[Caller, ActiveTurn]:
    """Return a session and its running turn, which has a delta to send."""
    caller = steps.create_session()
    steps.submit(caller)
    claim = steps.claim(caller)
    assert claim is not None
    turn = ActiveTurn(claim, Timeouts())
    turn.append("a delta")
    return caller, turn


def test_programming_error_stops_only_its_own_turn(redis: Redis) -> None:
    """Otherwise it would be retried every 50 ms until the deadline, like an unavailable Redis."""
    (broken, failing), (healthy, running) = start_turn(), start_turn()
    redis.set(keys.for_session(broken.session_id).partial, "x", ex=60)
    redis.delete(keys.for_session(broken.session_id).log)
    redis.set(keys.for_session(broken.session_id).log, "not a log", ex=60)
    on_loop(flush([failing, running]))
    assert failing.stop_cause is StopCause.WRITE_FAILED
    assert running.stop_cause is None
    assert steps.find_message(healthy, "msg_2")["content"] == "a delta"
