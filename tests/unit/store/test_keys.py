"""Keys of a session share one hash slot."""

from collections import Counter

from redis.crc import key_slot

from chat.settings import chat_settings
from chat.store import keys


def test_all_keys_of_a_session_are_in_one_slot() -> None:
    for number in range(50):
        slots = {key_slot(key.encode()) for key in keys.for_session(f"ses_{number}")}
        assert len(slots) == 1


def test_sessions_are_spread_over_all_partitions() -> None:
    spread = Counter(keys.partition_of(f"ses_{number}") for number in range(4000))
    assert spread.keys() == set(range(chat_settings.PARTITIONS))
    assert max(spread.values()) < 2 * min(spread.values())
