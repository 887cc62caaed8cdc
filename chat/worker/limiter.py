"""Keeping the models' gates: before, during and after each call of this process.

A model without limits and without trouble costs no round trip: its gate is asked only while some
process has seen a call fail, which every worker learns within a sweep.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock

from chat import broker
from chat.conversation import llms
from chat.domain import CallResult, LimiterDelay, Model, WaitReason
from chat.domain.errors import StoreUnavailable
from chat.store import limits

logger = logging.getLogger(__name__)


class ModelCall:
    """A call that has passed the gate, and how it went."""

    def __init__(self) -> None:
        self.result = CallResult.NEUTRAL
        self.retry_after = 0.0
        """Seconds for which the vendor wants no call."""
        self.reason = WaitReason.QUEUE


class ModelLimiter:
    """What this process knows of the gates, and which slots it holds."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._degraded: set[str] = set()
        self._calls: dict[str, set[str]] = defaultdict(set)

    def acquire(
        self, model: Model, session_id: str, *, tokens: int, max_wait: float
    ) -> LimiterDelay | None:
        """Pass the model's gate, or learn when to come again; see `store.gates.enter`."""
        if not self._is_limited(model):
            return None
        return limits.acquire(model, session_id, tokens=tokens, max_wait=max_wait)

    @contextmanager
    def call(self, model: Model, session_id: str) -> Iterator[ModelCall]:
        """Have a call that passed the gate, and leave by the way it went."""
        call = ModelCall()
        with self._lock:
            self._calls[model.name].add(session_id)
        try:
            yield call
        finally:
            with self._lock:
                self._calls[model.name].discard(session_id)
            self._release(model, session_id, call)

    def forget_waiter(self, session_id: str) -> None:
        """Have a session no longer wait at any gate, if none of its turns is open any more.

        Cancelled or deleted while it waited, it would be called, not come, and hold up all behind.
        """
        asked = [model for model in llms.all_models().values() if self._is_limited(model)]
        if not asked:
            return
        try:
            waiting = limits.leave_queue(asked, session_id)
        except StoreUnavailable as error:
            logger.warning("The gates were not told: %s", error.__cause__)
            return
        for each in waiting:
            broker.wake(each)

    def record_success(self, model: Model) -> None:
        """Note that the model has begun to answer; a half-open circuit need not wait for the end.

        It costs a trip only while the model is in trouble.
        """
        if model.name in self._degraded:
            self._notify(model, lambda: limits.record_success(model))

    def refresh(self) -> None:
        """Learn which models are in trouble, and give a sign of life for the calls made here.

        Slots of which nobody gives one come free, and those who wait for them are woken.

        Raises:
            StoreUnavailable: Redis gave no answer.
        """
        known = llms.all_models()
        troubled = limits.degraded(known)
        with self._lock:
            self._degraded = troubled
            held = [
                (model, list(self._calls[name]))
                for name, model in known.items()
                if model.concurrency or (self._calls[name] and name in troubled)
            ]
        if held:
            for waiter in limits.heartbeat(held):
                broker.wake(waiter)

    def _is_limited(self, model: Model) -> bool:
        limits = (model.concurrency, model.requests_per_minute, model.tokens_per_minute)
        return any(limits) or model.name in self._degraded

    def _release(self, model: Model, session_id: str, call: ModelCall) -> None:
        if call.result in {CallResult.FAILED, CallResult.RETRY_AFTER}:
            with self._lock:
                self._degraded = self._degraded | {model.name}
        if not self._is_limited(model):
            return
        self._notify(
            model,
            lambda: limits.release(
                model, session_id, call.result, retry_after=call.retry_after, reason=call.reason
            ),
        )

    def _notify(self, model: Model, act: Callable[[], Sequence[str]]) -> None:
        """Tell the gate something, and wake those whose turn it is now."""
        try:
            waiting = act()
        except StoreUnavailable as error:
            logger.warning("The gate of %s was not told: %s", model.name, error.__cause__)
            return
        for session_id in waiting:
            broker.wake(session_id)


model_limiter = ModelLimiter()
"""This process's."""
