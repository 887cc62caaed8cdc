"""A worker's channel receives many messages in one round trip."""

from typing import Any

import pytest
from kombu import Connection, Consumer
from redis import Redis

from chat.broker import QUEUE, build_queue, limit_batches
from chat.broker.message import serialize_message
from chat.broker.transport import MAX_MESSAGES, transport_path
from tests.integration.store.redis_server import RedisServer


@pytest.mark.parametrize(("free_slots", "received"), [(100, MAX_MESSAGES), (3, 3), (0, 1)])
def test_batch_is_as_large_as_the_worker_has_free_slots(
    server: RedisServer,
    redis: Redis,
    monkeypatch: pytest.MonkeyPatch,
    free_slots: int,
    received: int,
) -> None:
    monkeypatch.setattr("chat.broker.transport._BatchMixin.free_slots", None, raising=False)
    limit_batches(lambda: free_slots)
    redis.lpush(QUEUE, *(serialize_message(f"ses_{i}", f"task_{i}") for i in range(20)))
    bodies: list[Any] = []
    options = {"priority_steps": [0]}
    with (
        Connection(
            server.url, transport=transport_path(server.url), transport_options=options
        ) as connection,
        Consumer(
            connection,
            [build_queue()],
            callbacks=[lambda body, _: bodies.append(body)],
            no_ack=True,
        ),
    ):
        connection.drain_events(timeout=5)
        assert [kwargs["session_id"] for _, kwargs, _ in bodies] == [
            f"ses_{i}" for i in range(received)
        ]
        assert redis.llen(QUEUE) == 20 - received
    redis.delete(QUEUE)
