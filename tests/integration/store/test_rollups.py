"""Hourly copies of the counters, and what happened between them."""

from redis import Redis

from chat.domain import Caller, Usage, UsageSource
from chat.store import keys, leases, metrics, rollups
from chat.store.rollups import HOUR, HOURS
from tests.integration.store import steps
from tests.integration.store.steps import LeaseHolder

USAGE = Usage(prompt_tokens=7, completion_tokens=5, source=UsageSource.PROVIDER, cached_tokens=3)


def finish_turn(caller: Caller, usage: Usage | None = None) -> None:
    writer = LeaseHolder.claim_for(caller)
    leases.finish(writer.lease, steps.outcome(usage=usage), writer.delta("some text"))


def move_copy(redis: Redis, *, hours_back: int) -> None:
    """Make the newest copy look as if it had been stored earlier."""
    (hour,) = sorted(map(int, redis.hkeys(keys.rollups())))[-1:]
    redis.hset(keys.rollups(), str(hour - hours_back), redis.hget(keys.rollups(), str(hour)))
    redis.hdel(keys.rollups(), str(hour))


def test_each_hour_contains_what_happened_in_it(redis: Redis, caller: Caller) -> None:
    assert 0 < rollups.record() <= HOUR
    move_copy(redis, hours_back=2)
    finish_turn(caller, USAGE)
    rollups.record()
    move_copy(redis, hours_back=1)
    finish_turn(caller)
    found = rollups.read(4)
    assert [each.total("turns", "completed") for each in found] == [0, 1, 1, 0]
    assert found[1].by("tokens", 1) == {"prompt": 7, "completion": 5, "cached": 3}
    assert [each.latency("turn").count for each in found] == [0, 1, 1, 0]
    assert [each.start - found[0].start for each in found] == [0, HOUR, 2 * HOUR, 3 * HOUR]
    (merged,) = rollups.merge(found, 10**12)
    assert merged.total("turns") == 2


def test_first_copy_of_an_hour_stays_and_old_ones_are_deleted(redis: Redis) -> None:
    rollups.record()
    first = redis.hgetall(keys.rollups())
    redis.hincrby(keys.counters(0), "errors:model_error", 1)
    rollups.record()
    assert redis.hgetall(keys.rollups()) == first
    move_copy(redis, hours_back=HOURS + 1)
    rollups.record()
    assert redis.hlen(keys.rollups()) == 1
    assert rollups.read(1)[0].by("errors", 1) == {}


def test_without_copies_all_counts_belong_to_this_hour(redis: Redis) -> None:
    redis.hincrby(keys.counters(0), "errors:model_error", 2)
    assert [each.total("errors") for each in rollups.read(2)] == [0, 0]
    assert metrics.read().errors == {"model_error": 2}
