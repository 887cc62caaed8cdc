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
from chat.domain import CallEnd, GateWait, Model, WaitReason
from chat.domain.errors import StoreUnavailable
from chat.store import limits

logger = logging.getLogger(__name__)


class ModelCall:
    """A call that has passed the gate, and how it went."""

    def __init__(self) -> None:
        self.end = CallEnd.LEFT
        self.held = 0.0
        """Seconds for which the vendor wants no call."""
        self.why = WaitReason.QUEUE


class Gatekeeper:
    """What this process knows of the gates, and which slots it holds."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._troubled: set[str] = set()
        self._inside: dict[str, set[str]] = defaultdict(set)

    def enter(self, model: Model, caller: str, *, tokens: int, within: float) -> GateWait | None:
        """Pass the model's gate, or learn when to come again; see `store.gates.enter`."""
        if not self._asks(model):
            return None
        return limits.enter(model, caller, tokens=tokens, within=within)

    @contextmanager
    def call(self, model: Model, caller: str) -> Iterator[ModelCall]:
        """Have a call that passed the gate, and leave by the way it went."""
        call = ModelCall()
        with self._lock:
            self._inside[model.name].add(caller)
        try:
            yield call
        finally:
            with self._lock:
                self._inside[model.name].discard(caller)
            self._leave(model, caller, call)

    def let_go(self, session_id: str) -> None:
        """Have a session no longer wait at any gate, if none of its turns is open any more.

        Cancelled or deleted while it waited, it would be called, not come, and hold up all behind.
        """
        asked = [model for model in llms.all_models().values() if self._asks(model)]
        if not asked:
            return
        try:
            waiting = limits.step_aside(asked, session_id)
        except StoreUnavailable as error:
            logger.warning("The gates were not told: %s", error.__cause__)
            return
        for each in waiting:
            broker.wake(each)

    def hear(self, model: Model) -> None:
        """Note that the model has begun to answer; a half-open circuit need not wait for the end.

        It costs a trip only while the model is in trouble.
        """
        if model.name in self._troubled:
            self._tell(model, lambda: limits.hear(model))

    def look(self) -> None:
        """Learn which models are in trouble, and give a sign of life for the calls made here.

        Slots of which nobody gives one come free, and those who wait for them are woken.

        Raises:
            StoreUnavailable: Redis gave no answer.
        """
        known = llms.all_models()
        troubled = limits.troubled(known)
        with self._lock:
            self._troubled = troubled
            held = [
                (model, list(self._inside[name]))
                for name, model in known.items()
                if model.concurrency or (self._inside[name] and name in troubled)
            ]
        if held:
            for waiter in limits.hold(held):
                broker.wake(waiter)

    def _asks(self, model: Model) -> bool:
        limits = (model.concurrency, model.requests_per_minute, model.tokens_per_minute)
        return any(limits) or model.name in self._troubled

    def _leave(self, model: Model, caller: str, call: ModelCall) -> None:
        if call.end in {CallEnd.FAILED, CallEnd.HELD}:
            with self._lock:
                self._troubled = self._troubled | {model.name}
        if not self._asks(model):
            return
        self._tell(
            model, lambda: limits.leave(model, caller, call.end, held=call.held, why=call.why)
        )

    def _tell(self, model: Model, act: Callable[[], Sequence[str]]) -> None:
        """Tell the gate something, and wake those whose turn it is now."""
        try:
            waiting = act()
        except StoreUnavailable as error:
            logger.warning("The gate of %s was not told: %s", model.name, error.__cause__)
            return
        for session_id in waiting:
            broker.wake(session_id)


gatekeeper = Gatekeeper()
"""This process's."""
