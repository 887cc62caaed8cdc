"""Keys of a session share one hash slot."""

from collections import Counter

import pytest
from pytest_django import Settings
from redis.crc import key_slot

from chat.conversation import tokens
from chat.store import keys


def test_all_keys_of_a_session_are_in_one_slot() -> None:
    for _ in range(50):
        slots = {key_slot(key.encode()) for key in keys.for_session(tokens.new_session_id())}
        assert len(slots) == 1


@pytest.mark.parametrize("partitions", [1, 7, 16, 256])
def test_sessions_are_spread_over_all_partitions(settings: Settings, partitions: int) -> None:
    settings.CHAT_PARTITIONS = partitions
    spread = Counter(keys.partition_of(f"ses_{number:04x}") for number in range(0x10000))
    assert spread.keys() == set(range(partitions))
    assert max(spread.values()) - min(spread.values()) <= 1


def test_first_digits_of_the_id_are_the_partition(settings: Settings) -> None:
    for digits, partitions in ((1, 16), (2, 256), (3, 4096)):
        settings.CHAT_PARTITIONS = partitions
        assert keys.partition_of("ses_a17fe") == int("a17fe"[:digits], 16)


def test_text_that_is_no_session_id_has_a_partition() -> None:
    assert keys.partition_of("ses_no hex") == 0
