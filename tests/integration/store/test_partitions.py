"""The number of partitions in Redis, and processes with another one."""

import pytest
from pytest_django import Settings
from redis import Redis

from chat.domain.errors import ConfigError, StoreUnavailable
from chat.operations import health
from chat.store import partitions

pytestmark = pytest.mark.case("C32")


def test_first_process_stores_the_number(redis: Redis, settings: Settings) -> None:
    settings.CHAT_PARTITIONS = 64
    partitions.check(is_start=False)
    assert redis.hget("chat:deployment", "partitions") is None
    for _ in range(2):
        partitions.check(is_start=True)
    assert redis.hget("chat:deployment", "partitions") == b"64"


@pytest.mark.parametrize("is_start", [True, False])
def test_another_number_is_rejected(settings: Settings, *, is_start: bool) -> None:
    settings.CHAT_PARTITIONS = 16
    partitions.check(is_start=True)
    settings.CHAT_PARTITIONS = 8
    with pytest.raises(ConfigError, match=r"^CHAT_PARTITIONS: is 8, .* has 16 partitions"):
        partitions.check(is_start=is_start)


def test_process_that_started_without_redis_is_not_ready(redis: Redis, settings: Settings) -> None:
    settings.CHAT_PARTITIONS = 8
    redis.hset("chat:deployment", "partitions", 16)
    health.check_partitions.cache_clear()
    with pytest.raises(StoreUnavailable, match="CHAT_PARTITIONS: is 8"):
        health.ping()
    redis.hset("chat:deployment", "partitions", 8)
    health.ping()
    health.check_partitions.cache_clear()
