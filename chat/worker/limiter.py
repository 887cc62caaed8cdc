"""The limits on model calls, as this worker process applies them.

A healthy model without limits costs no round trip. Its limiter in Redis is used only after some
worker has seen a call fail; every worker learns of that within one sweep interval.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

from chat import broker
from chat.conversation import llms
from chat.domain import CallResult, LimiterDelay, Model, StopCause, WaitReason
from chat.domain.errors import ProviderError, StoreUnavailable
from chat.store import limits
from chat.worker.retry_policy import WAIT_REASONS

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallReport:
    """What a call says about the health of its model."""

    result: CallResult
    # Seconds for which the vendor rejects calls, with `CallResult.RETRY_AFTER`.
    retry_after: float = 0.0
    # Why the vendor rejects them.
    reason: WaitReason = WaitReason.QUEUE


class HeldSlot:
    """The slot of a running call. The caller stores the report of the call before it ends."""

    def __init__(self) -> None:
        self.report = CallReport(result=CallResult.NEUTRAL)


def report_failure(
    error: ProviderError, stop_cause: StopCause | None, *, has_output: bool
) -> CallReport:
    """Return the report of a failed call, or of one that this worker stopped.

    A call with a response, even an invalid one, does not count as a failure of the model: the cause
    may be this one conversation.
    """
    if stop_cause is None and error.retry_after:
        return CallReport(
            result=CallResult.RETRY_AFTER,
            retry_after=error.retry_after,
            reason=WAIT_REASONS.get(type(error), WaitReason.QUEUE),
        )
    is_outage = error.is_outage if stop_cause is None else stop_cause is StopCause.EVENT_TIMEOUT
    is_failure = is_outage and not has_output
    return CallReport(result=CallResult.FAILED if is_failure else CallResult.NEUTRAL)


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
    def hold_slot(self, model: Model, session_id: str) -> Iterator[HeldSlot]:
        """Renew the slot that `acquire` returned, and release it with the report at the end."""
        slot = HeldSlot()
        with self._lock:
            self._calls[model.name].add(session_id)
        try:
            yield slot
        finally:
            with self._lock:
                self._calls[model.name].discard(session_id)
            self._release(model, session_id, slot.report)

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
        configured = (model.concurrency, model.requests_per_minute, model.tokens_per_minute)
        return any(configured) or model.name in self._degraded

    def _release(self, model: Model, session_id: str, report: CallReport) -> None:
        if report.result in {CallResult.FAILED, CallResult.RETRY_AFTER}:
            with self._lock:
                self._degraded = self._degraded | {model.name}
        if not self._is_limited(model):
            return
        self._update(
            model.name,
            lambda: limits.release(
                model,
                session_id,
                report.result,
                retry_after=report.retry_after,
                reason=report.reason,
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
