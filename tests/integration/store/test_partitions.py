"""The number of partitions in Redis, and processes with another one."""

import pytest
from pytest_django import Settings
from redis import Redis

from chat.domain.errors import ConfigError
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
