"""What is sealed here says what kombu itself would have a worker find."""

import json
from base64 import b64decode
from typing import Any

from kombu import Connection, Producer
from redis import Redis

from chat.broker import QUEUE
from chat.broker.message import publish, serialize_message
from tests.integration.store.redis_server import RedisServer

SESSION, TASK = "ses_0123456789abcdef01234567", "ses_0123456789abcdef01234567-1"


def test_a_sealed_message_says_what_kombu_writes(server: RedisServer, redis: Redis) -> None:
    with Connection(server.url) as connection, Producer(connection) as producer:
        publish(producer, SESSION, TASK)
    written = redis.lpop(QUEUE)
    assert isinstance(written, bytes)
    by_kombu, here = json.loads(written), json.loads(serialize_message(SESSION, TASK))
    assert by_kombu["properties"].pop("delivery_tag")
    assert here["properties"].pop("delivery_tag") == TASK
    assert by_kombu["properties"].pop("body_encoding") == "base64"
    by_kombu["body"] = b64decode(by_kombu["body"])
    assert json.loads(here.pop("body")) == told(json.loads(by_kombu.pop("body")))
    assert here == told(by_kombu)


def told(value: Any) -> Any:
    """The value, but for members that are null."""
    if isinstance(value, dict):
        return {name: told(each) for name, each in value.items() if each is not None}
    return list(map(told, value)) if isinstance(value, list) else value
