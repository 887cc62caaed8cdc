"""What is sealed here is what kombu itself would have a worker find."""

import json

from kombu import Connection, Producer
from redis import Redis

from chat.dispatch import QUEUE
from chat.dispatch.envelope import publish, sealed
from tests.integration.store.server import Server

SESSION, TASK = "ses_0123456789abcdef01234567", "ses_0123456789abcdef01234567-1"


def test_a_sealed_message_is_what_kombu_writes(server: Server, redis: Redis) -> None:
    with Connection(server.url) as connection, Producer(connection) as producer:
        publish(producer, SESSION, TASK)
    written = redis.lpop(QUEUE)
    assert isinstance(written, bytes)
    by_kombu, here = json.loads(written), json.loads(sealed(SESSION, TASK))
    assert by_kombu["properties"].pop("delivery_tag")
    assert here["properties"].pop("delivery_tag") == TASK
    assert here == by_kombu
