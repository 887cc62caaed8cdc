"""What one thread sends for all running turns, and what it does about those that cannot be sent."""

from redis import Redis

from chat.domain import Caller, StopCause, Timeouts
from chat.http.cancellation import CancellableCall
from chat.store import keys
from chat.worker.active_turns import ActiveTurn
from chat.worker.flusher import flush
from tests.integration.store import steps


def begun() -> tuple[Caller, ActiveTurn]:
    """Return a session whose turn runs and has something to send."""
    caller = steps.create_session()
    steps.submit(caller)
    claim = steps.claim(caller)
    assert claim is not None
    turn = ActiveTurn(claim, Timeouts(), CancellableCall())
    turn.append("a piece")
    return caller, turn


def test_internal_error_ends_only_its_own_turn(redis: Redis) -> None:
    """It would be sent again every 50 ms until the turn's deadline, as if Redis were away."""
    (broken, ends), (sound, goes_on) = begun(), begun()
    redis.set(keys.for_session(broken.session_id).partial, "x", ex=60)
    redis.delete(keys.for_session(broken.session_id).events)
    redis.set(keys.for_session(broken.session_id).events, "not a log", ex=60)
    flush([ends, goes_on])
    assert ends.stopped is StopCause.LOST
    assert goes_on.stopped is None
    assert steps.find_message(sound, "msg_2")["content"] == "a piece"
