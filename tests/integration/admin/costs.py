"""What a page costs: round trips to Redis, and the commands that Redis executes."""

from threading import current_thread, main_thread
from typing import Any

import pytest
from django.test import Client
from redis import Connection, Redis

from chat.redis_url import Kind
from chat.store.client import CONNECTION_CLASSES
from chat.store.client import client as store_client
from tests.harness.redis_cluster import require_one_server


class CountingConnection(Connection):
    """A connection that counts its round trips, but not those of other threads."""

    trips = 0

    def send_packed_command(self, command: Any, check_health: bool = True) -> None:  # noqa: FBT002
        CountingConnection.trips += current_thread() is main_thread()
        super().send_packed_command(command, check_health)  # type: ignore[no-untyped-call]


def round_trips(client: Client, path: str) -> int:
    """Return the round trips for a page, without those that open a connection."""
    require_one_server()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(CONNECTION_CLASSES, Kind.TCP, CountingConnection)
        store_client.cache_clear()
        client.get(path)
        CountingConnection.trips = 0
        assert client.get(path).status_code == 200
        store_client.cache_clear()
        return CountingConnection.trips


def redis_commands(redis: Redis, client: Client, path: str) -> int:
    """Return the commands that Redis executes for a page, including those in scripts."""
    require_one_server()

    def executed() -> int:
        calls: Any = redis.info("commandstats")
        return sum(each["calls"] for each in calls.values())

    def measure() -> int:
        before = executed()
        assert client.get(path).status_code == 200
        return executed() - before - 1  # the first INFO

    return min(measure() for _ in range(3))  # a thread reads the bans once a second
