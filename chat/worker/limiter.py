"""The limits on model calls, as this worker process applies them.

A healthy model without limits costs no round trip. Its limiter in Redis is used only after some
worker has seen a call fail; every worker learns of that within one sweep interval.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from chat import broker
from chat.conversation import llms
from chat.domain import CallResult, LimiterDelay, Model, WaitReason
from chat.domain.errors import StoreUnavailable
from chat.store import limits

logger = logging.getLogger(__name__)


class ModelCall:
    """A running call; the caller records its result here."""

    def __init__(self) -> None:
        self.result = CallResult.NEUTRAL
        # Seconds for which the vendor rejects calls, with `CallResult.RETRY_AFTER`.
        self.retry_after = 0.0
        self.reason = WaitReason.QUEUE


class ModelLimiter:
    """The slots that this process holds, and the models that are degraded."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._degraded: set[str] = set()
        # Session ids of running calls, by model.
        self._calls: dict[str, set[str]] = defaultdict(set)

    def acquire(
        self, model: Model, session_id: str, *, tokens: int, max_wait: float
    ) -> LimiterDelay | None:
        """Acquire the right to call the model; see `chat.store.limits.acquire`."""
        if not self._is_limited(model):
            return None
        return limits.acquire(model, session_id, tokens=tokens, max_wait=max_wait)

    @contextmanager
    def call(self, model: Model, session_id: str) -> Iterator[ModelCall]:
        """Keep the slot of an acquired call alive, and release it at the end."""
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
        """Remove a session from all queues, if none of its turns is open any more.

        A session that was cancelled or deleted would be woken, never ask again, and delay all
        sessions behind it.
        """
        limited = [model for model in llms.all_models().values() if self._is_limited(model)]
        if limited:
            self._update(
                ", ".join(model.name for model in limited),
                lambda: limits.leave_queue(limited, session_id),
            )

    def record_success(self, model: Model, session_id: str) -> None:
        """Close a half-open circuit as soon as the model answers, not at the end of the call.

        This costs a round trip only while the model is degraded.
        """
        if model.name in self._degraded:
            self._update(model.name, lambda: limits.record_success(model, session_id))

    def refresh(self) -> None:
        """Fetch the degraded models, and extend the leases of the slots held here.

        Slots whose lease has expired are freed, and their waiters are woken.

        Raises:
            StoreUnavailable: Redis did not answer.
        """
        models = llms.all_models()
        degraded = limits.degraded(models)
        with self._lock:
            self._degraded = degraded
            calls = [
                (model, list(self._calls[name]))
                for name, model in models.items()
                if model.concurrency or (self._calls[name] and name in degraded)
            ]
        if calls:
            for session_id in limits.refresh_slots(calls):
                broker.wake_session(session_id)

    def _is_limited(self, model: Model) -> bool:
        limits = (model.concurrency, model.requests_per_minute, model.tokens_per_minute)
        return any(limits) or model.name in self._degraded

    def _release(self, model: Model, session_id: str, call: ModelCall) -> None:
        if call.result in {CallResult.FAILED, CallResult.RETRY_AFTER}:
            with self._lock:
                self._degraded = self._degraded | {model.name}
        if not self._is_limited(model):
            return
        self._update(
            model.name,
            lambda: limits.release(
                model, session_id, call.result, retry_after=call.retry_after, reason=call.reason
            ),
        )

    def _update(self, name: str, update: Callable[[], list[str]]) -> None:
        """Update limiters, and wake the sessions that may call a model now."""
        try:
            waiters = update()
        except StoreUnavailable as error:
            logger.warning("Could not update the limiter of %s: %s", name, error.__cause__)
            return
        for session_id in waiters:
            broker.wake_session(session_id)


# The only limiter of this process; all turns share it.
model_limiter = ModelLimiter()
