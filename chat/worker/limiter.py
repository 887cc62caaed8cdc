"""The limits on model calls, as this worker process applies them.

A healthy model without limits costs no round trip. Its limiter in Redis is used only after some
worker has seen a call fail; every worker learns of that within one sweep interval.
"""

import logging
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic

from chat.conversation import llms
from chat.domain import CallResult, LimiterDelay, Model, ModelCaller, StopCause, WaitReason
from chat.domain.errors import ModelLoading, ModelRateLimited, ProviderError, StoreUnavailable
from chat.store import limiter
from chat.store.limiter import CallEnd, CallInFlight
from chat.worker.retry_policy import WAIT_REASONS
from chat.worker.wake_ups import wake_ups
from chat.worker.worker_shares import WorkerShares

logger = logging.getLogger(__name__)

# Parties that a failed call reports as active, so that their calls may test the model.
MAX_OTHER_PARTIES = 2


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

    def __init__(self, caller: ModelCaller) -> None:
        self.caller = caller
        self.report = CallReport(result=CallResult.NEUTRAL)
        # The model has sent nothing yet.
        self.is_silent = True
        self.began_at = monotonic()


def report_failure(
    error: ProviderError, stop_cause: StopCause | None, *, has_output: bool
) -> CallReport:
    """Return the report of a failed call, or of one that this worker stopped.

    A call with a response, even an invalid one, does not count as a failure of the model: the cause
    may be this one conversation. A Retry-After of a service that is neither busy nor loading
    concerns this call only.
    """
    is_busy = error.is_busy or isinstance(error, ModelRateLimited | ModelLoading)
    if stop_cause is None and error.retry_after and is_busy:
        return CallReport(
            result=CallResult.RETRY_AFTER,
            retry_after=error.retry_after,
            reason=WAIT_REASONS.get(type(error), WaitReason.QUEUE),
        )
    is_outage = error.is_outage if stop_cause is None else stop_cause is StopCause.EVENT_TIMEOUT
    is_failure = is_outage and not has_output
    return CallReport(result=CallResult.FAILED if is_failure else CallResult.NEUTRAL)


class ModelCalls:
    """What this process knows of the calls to one model."""

    def __init__(self) -> None:
        # Running calls by session id.
        self.slots: dict[str, HeldSlot] = {}
        # `monotonic()` of the last success; `None` if there was none.
        self.last_success: float | None = None
        # The parties that called last, the latest at the end.
        self._parties: dict[tuple[str, str], ModelCaller] = {}

    def add(self, slot: HeldSlot) -> None:
        caller = slot.caller
        self.slots[caller.session_id] = slot
        self._parties.pop((caller.party_class, caller.party), None)
        self._parties[caller.party_class, caller.party] = caller
        if len(self._parties) > MAX_OTHER_PARTIES + 1:
            del self._parties[next(iter(self._parties))]

    def end_of(self, slot: HeldSlot) -> CallEnd:
        """Return how a call ended, for its limiter."""
        now, report = monotonic(), slot.report
        return CallEnd(
            result=report.result,
            retry_after=report.retry_after,
            reason=report.reason,
            duration=now - slot.began_at,
            last_success=None if self.last_success is None else now - self.last_success,
            other_parties=[each for each in self._parties.values() if each != slot.caller],
        )


class ModelLimiter:
    """The slots that this process holds, and the models that are degraded or contended."""

    def __init__(self) -> None:
        self._degraded: set[str] = set()
        # Models for which sessions wait.
        self._contended: set[str] = set()
        self._calls: dict[str, ModelCalls] = defaultdict(ModelCalls)
        # Of the calls to models without a concurrency limit.
        self._shares = WorkerShares()

    async def acquire(
        self, model: Model, caller: ModelCaller, *, tokens: int, max_wait: float
    ) -> LimiterDelay | None:
        """Acquire the right to call the model; see `chat.store.limiter.acquire`.

        The caller holds a slot afterwards, even of a model without limits.
        """
        if not model.concurrency:
            delay = self._shares.start(caller)
            if delay is not None:
                return delay
        try:
            delay = await self._acquire(model, caller, tokens=tokens, max_wait=max_wait)
        except StoreUnavailable:
            self._end_share(model, caller)
            raise
        if delay is not None:
            self._end_share(model, caller)
        return delay

    async def _acquire(
        self, model: Model, caller: ModelCaller, *, tokens: int, max_wait: float
    ) -> LimiterDelay | None:
        if not self._is_limited(model):
            return None
        try:
            delay, woken = await limiter.acquire.on_loop(
                model, caller, tokens=tokens, max_wait=max_wait
            )
        except StoreUnavailable as error:
            if _has_limits(model):
                raise
            # On a Cluster, only the node that has the circuit breaker is down.
            message = "Calling %s without asking its circuit breaker: %s"
            logger.warning(message, model.name, error.__cause__)
            return None
        if delay is not None:
            self._contended = self._contended | {model.name}
        _wake(woken)
        return delay

    @asynccontextmanager
    async def hold_slot(self, model: Model, caller: ModelCaller) -> AsyncGenerator[HeldSlot]:
        """Renew the slot that `acquire` returned, and release it with the report at the end."""
        slot = HeldSlot(caller)
        self._calls[model.name].add(slot)
        try:
            yield slot
        finally:
            await self._release(model, slot)

    async def forget_waiter(self, session_id: str) -> None:
        """Remove a session from all queues, if none of its turns is open any more.

        A session that was cancelled or deleted would be woken, and never ask again.
        """
        limited = [model for model in llms.all_models().values() if self._is_limited(model)]
        if limited:
            await self._update(
                ", ".join(model.name for model in limited),
                limiter.leave_queue.on_loop(limited, session_id),
            )

    async def record_success(self, model: Model, slot: HeldSlot) -> None:
        """Record that the model answers a call.

        This closes a half-open circuit as soon as possible. It also lets the caller's party make
        more calls, because a party may have few to which the model has sent nothing yet. It costs a
        round trip only while the model is degraded or sessions wait for it.
        """
        slot.is_silent = False
        self._calls[model.name].last_success = monotonic()
        if model.name in self._degraded | self._contended:
            await self._update(model.name, limiter.record_success.on_loop(model, slot.caller))

    async def refresh(self) -> None:
        """Fetch the degraded models, and extend the leases of the slots held here.

        Slots whose lease has expired are freed, and the sessions that may call now are woken.

        Raises:
            StoreUnavailable: Redis did not answer.
        """
        models = llms.all_models()
        self._degraded = await limiter.degraded.on_loop(models)
        calls = [
            (model, self._held_calls(name))
            for name, model in models.items()
            if self._is_limited(model)
        ]
        if calls:
            self._contended, woken = await limiter.refresh_slots.on_loop(calls)
            _wake(woken)

    def _held_calls(self, name: str) -> list[CallInFlight]:
        return [
            CallInFlight(caller=slot.caller, is_silent=slot.is_silent)
            for slot in self._calls[name].slots.values()
        ]

    def _is_limited(self, model: Model) -> bool:
        return _has_limits(model) or model.name in self._degraded

    async def _release(self, model: Model, slot: HeldSlot) -> None:
        calls = self._calls[model.name]
        calls.slots.pop(slot.caller.session_id, None)
        end = calls.end_of(slot)
        if end.result in {CallResult.FAILED, CallResult.RETRY_AFTER}:
            self._degraded = self._degraded | {model.name}
        elif end.result is CallResult.OK:
            calls.last_success = monotonic()
        self._end_share(model, slot.caller)
        if self._is_limited(model):
            await self._update(model.name, limiter.release.on_loop(model, slot.caller, end))

    def _end_share(self, model: Model, caller: ModelCaller) -> None:
        if not model.concurrency:
            _wake(self._shares.end(caller))

    async def _update(self, name: str, update: Awaitable[list[str]]) -> None:
        """Update limiters, and wake the sessions that may call a model now."""
        try:
            woken = await update
        except StoreUnavailable as error:
            logger.warning("Could not update the limiter of %s: %s", name, error.__cause__)
            return
        _wake(woken)


def _has_limits(model: Model) -> bool:
    return any((model.concurrency, model.requests_per_minute, model.tokens_per_minute))


def _wake(session_ids: list[str]) -> None:
    for session_id in session_ids:
        wake_ups.wake(session_id)


# The only limiter of this process; all turns share it.
model_limiter = ModelLimiter()
