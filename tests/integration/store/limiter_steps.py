"""Steps of tests: calls to a model through its limiter, with default arguments."""

from collections.abc import Iterable
from typing import Any

from chat.domain import CallResult, LimiterDelay, Model, ModelCaller
from chat.store import limiter
from chat.store.limiter import CallEnd, CallInFlight


def caller(model: Model, session_id: str, party: str = "") -> ModelCaller:
    """Return the caller of a session that is its own owner.

    Without `party`, it is its own party if the model has slots, else it is in the only one.
    """
    default = session_id if model.concurrency else "acme"
    return ModelCaller("key", party or default, session_id, session_id)


def acquire(
    model: Model, session_id: str, *, party: str = "", **options: Any
) -> LimiterDelay | None:
    return try_acquire(model, session_id, party=party, **options)[0]


def try_acquire(
    model: Model, session_id: str, *, party: str = "", **options: Any
) -> tuple[LimiterDelay | None, list[str]]:
    """Return the delay, and the sessions to wake."""
    return limiter.acquire(model, caller(model, session_id, party), **{"tokens": 1, **options})


def acquired(model: Model, session_id: str, tokens: int = 1, *, party: str = "") -> bool:
    return acquire(model, session_id, party=party, tokens=tokens) is None


def release(
    model: Model, session_id: str, result: CallResult, *, party: str = "", **details: Any
) -> list[str]:
    end = CallEnd(result=result, **details)
    return limiter.release(model, caller(model, session_id, party), end)


def succeed(model: Model, session_id: str, party: str = "") -> list[str]:
    """Record that the model has started to answer."""
    return limiter.record_success(model, caller(model, session_id, party))


def refresh(model: Model, session_ids: Iterable[str] = (), *, is_silent: bool = False) -> list[str]:
    """Refresh the slots of these sessions; return the sessions to wake."""
    held = [CallInFlight(caller=caller(model, each), is_silent=is_silent) for each in session_ids]
    return limiter.refresh_slots([(model, held)])[1]
