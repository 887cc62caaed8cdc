"""Random calls through a limiter, by workers that may die, and what must always hold."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, ClassVar

import orjson
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from chat.domain import CallResult, Model, ModelCaller
from chat.store import keys, limiter
from chat.store.limiter import CallEnd, CallInFlight
from tests.integration.store.virtual_clock import VirtualClock

# Seconds.
LEASE, WAITER_TTL, ACTIVE = 10, 20, 600
ENTRY = re.compile(r"(.*)\|(\d{16}) (\d{16})\|(.*)")
CALLERS = [
    ModelCaller(party_class, f"{party_class}-{party}", f"owner-{owner}",
                f"{party_class}-{party}-{owner}-{session}")
    for party_class in ("key", "anon") for party in range(2) for owner in range(2)
    for session in range(2)
]  # fmt: skip
PICKS = st.integers(0, len(CALLERS) - 1)
WORKERS = st.integers(0, 1)
RESULTS = st.sampled_from([*CallResult, CallResult.OK, CallResult.OK])


@dataclass
class RunningCall:
    worker: int
    began_at: float
    renewed_at: float
    is_silent: bool = True


class LimiterMachine(RuleBasedStateMachine):
    # Of the test's Redis.
    clock: ClassVar[VirtualClock]

    @initialize(slots=st.sampled_from([1, 2, 3, 5]))
    def start(self, slots: int) -> None:
        self.redis.flushall()
        self.clock.pass_to(1_700_000_000)
        self.model = Model(name="m", provider="openai", url="http://x/v1", concurrency=slots)
        self.keys = keys.limiter("m")
        self.running: dict[ModelCaller, RunningCall] = {}

    @property
    def redis(self) -> Any:
        return self.clock.redis

    @rule(pick=PICKS, worker=WORKERS)
    def acquire(self, pick: int, worker: int) -> None:
        caller = CALLERS[pick]
        if caller in self.running:
            return
        delay, _ = limiter.acquire(self.model, caller, tokens=1)
        if delay is None:
            now = self.clock.now
            self.running[caller] = RunningCall(worker, now, now)

    @precondition(lambda self: self.running)
    @rule(pick=PICKS, result=RESULTS)
    def release(self, pick: int, result: CallResult) -> None:
        caller = list(self.running)[pick % len(self.running)]
        call = self.running.pop(caller)
        duration = self.clock.now - call.began_at
        limiter.release(
            self.model, caller, CallEnd(result=result, duration=duration, retry_after=3)
        )

    @precondition(lambda self: self.running)
    @rule(pick=PICKS)
    def answer(self, pick: int) -> None:
        caller = list(self.running)[pick % len(self.running)]
        self.running[caller].is_silent = False
        limiter.record_success(self.model, caller)

    @rule(pick=PICKS)
    def leave(self, pick: int) -> None:
        limiter.leave_queue([self.model], CALLERS[pick].session_id)

    @rule(seconds=st.sampled_from([0.1, 0.5, 1, 2.1, 3, 9, 12, 70, 700]))
    def pass_time(self, seconds: float) -> None:
        self.clock.pass_to(self.clock.now + seconds)

    @rule(worker=WORKERS)
    def kill(self, worker: int) -> None:
        """Its calls end, and their slots are neither released nor renewed."""
        self.running = {c: call for c, call in self.running.items() if call.worker != worker}

    @rule(worker=WORKERS)
    def refresh(self, worker: int) -> None:
        own = {caller: call for caller, call in self.running.items() if call.worker == worker}
        held = [CallInFlight(caller=c, is_silent=call.is_silent) for c, call in own.items()]
        limiter.refresh_slots([(self.model, held)])
        valid = self.valid_slots()
        for caller, call in own.items():
            if name(caller) in valid:
                call.renewed_at = self.clock.now
            else:
                del self.running[caller]  # it was late, and another call has its slot
        self.check_free_slots(valid)

    def valid_slots(self) -> dict[str, float]:
        found = self.redis.zrange(
            self.keys.slots, f"({1000 * self.clock.now}", "+inf", byscore=True, withscores=True
        )
        return {caller.decode(): lease_until for caller, lease_until in found}

    def queue(self) -> list[tuple[str, ...]]:
        """Return parent, tag, ticket and name of each entry."""
        matches = [
            ENTRY.fullmatch(each.decode()) for each in self.redis.zrange(self.keys.queue, 0, -1)
        ]
        assert all(matches)
        return [match.groups() for match in matches if match]

    def waiters(self) -> list[str]:
        return [f"{parent} {name}" for parent, _, _, name in self.queue() if parent.count(" ") == 2]

    @invariant()
    def capacity_is_never_exceeded(self) -> None:
        valid = self.valid_slots()
        assert len(valid) <= self.model.concurrency
        for caller, call in self.running.items():
            if self.clock.now - call.renewed_at < LEASE:
                assert name(caller) in valid

    @invariant()
    def queue_is_consistent(self) -> None:
        entries = self.queue()
        nodes = [f"{parent} {own}".strip() for parent, _, _, own in entries]
        parents = {parent for parent, *_ in entries} - {""}
        assert len(set(nodes)) == len(nodes)
        assert parents <= set(nodes)
        assert {node for node in nodes if node.count(" ") < 3} <= parents
        self.check_tags(entries)
        self.check_places(nodes)

    def check_tags(self, entries: Sequence[tuple[str, ...]]) -> None:
        tags = {k.decode(): v.decode() for k, v in self.redis.hgetall(self.keys.tags).items()}
        for parent, tag, ticket, own in entries:
            if parent.count(" ") < 2:
                assert tags[f"{parent} {own}".strip()] == f"{int(tag)} {int(ticket)}"
        assert entries or not tags

    def check_places(self, nodes: Sequence[str]) -> None:
        """Each waiter is in the queue, or a slot is promised to it."""
        places = self.redis.hgetall(self.keys.places)
        callers = {place.decode().split(" ", 3)[3] for place in places.values()}
        queued = {node for node in nodes if node.count(" ") == 3}
        slots = {each.decode() for each in self.redis.zrange(self.keys.slots, 0, -1)}
        assert queued <= callers
        assert callers - queued <= slots
        assert not queued & slots
        retries = set(self.redis.zrange(self.keys.waiters, 0, -1))
        assert retries == set(places)

    def check_free_slots(self, valid: dict[str, float]) -> None:
        """No slot is free while a session waits that may have it."""
        if len(valid) == self.model.concurrency:
            return
        health = {
            k.decode(): orjson.loads(v) for k, v in self.redis.hgetall(self.keys.health).items()
        }
        for caller in self.waiters():
            assert self.is_blocked(caller, valid, health), caller

    def is_blocked(self, caller: str, valid: dict[str, float], health: dict[str, Any]) -> bool:
        party_class, party, owner, _ = caller.split(" ")
        nodes = [party_class, f"{party_class} {party}", f"{party_class} {party} {owner}"]
        for node in ("model", nodes[1]):
            state = health.get(node, {})
            until = max(state.get("open_until", 0), state.get("retry_after_until", 0))
            if until > 1000 * self.clock.now or "opened" in state:
                return True
        silent = Counter(
            node for each, lease in valid.items() for node in prefixes(each) if lease % 1 == 0
        )
        active = orjson.loads(self.redis.hget(self.keys.limiter, "active"))
        half = ceil(self.model.concurrency / 2)
        anonymous = sum(each.startswith("anon ") for each in valid)
        if party_class == "anon" and self.is_recent(active.get("key_at", 0)) and anonymous >= half:
            return True
        for node, listed in zip(nodes[1:], ("parties", "owners"), strict=True):
            others = sum(self.is_recent(at) for _, at in active[listed])
            halvings = health.get(node, {}).get("halvings", 0) if others > 1 else 0
            if silent[node] >= max(1, half // 2**halvings):
                return True
        return False

    def is_recent(self, ms: float) -> bool:
        return self.clock.now - ms / 1000 < ACTIVE

    def teardown(self) -> None:
        """When everything ends, nothing is left."""
        if not hasattr(self, "running"):
            return
        for caller in list(self.running):
            limiter.release(self.model, caller, CallEnd(result=CallResult.OK))
        for _ in range(2):
            self.pass_time(61 + WAITER_TTL)
            limiter.refresh_slots([(self.model, [])])
        for key in (self.keys.slots, *self.keys[3:]):
            assert not self.redis.exists(key), key


def name(caller: ModelCaller) -> str:
    return " ".join(caller)


def prefixes(caller: str) -> list[str]:
    names = caller.split(" ")
    return [" ".join(names[:count]) for count in (1, 2, 3)]
