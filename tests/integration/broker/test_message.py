"""Serialized messages equal those that kombu writes."""

import json
from base64 import b64decode
from typing import Any

from kombu import Connection, Producer
from redis import Redis

from chat.broker import QUEUE
from chat.broker.message import publish, serialize_message
from tests.integration.store.redis_server import RedisServer

SESSION, TASK = "ses_0123456789abcdef01234567", "ses_0123456789abcdef01234567-1"


def test_serialized_message_equals_kombus(server: RedisServer, redis: Redis) -> None:
    with Connection(server.url) as connection, Producer(connection) as producer:
        publish(producer, TASK, session_id=SESSION)
    written = redis.lpop(QUEUE)
    assert isinstance(written, bytes)
    by_kombu, ours = json.loads(written), json.loads(serialize_message(SESSION, TASK))
    assert by_kombu["properties"].pop("delivery_tag")
    assert ours["properties"].pop("delivery_tag") == TASK
    assert by_kombu["properties"].pop("body_encoding") == "base64"
    by_kombu["body"] = b64decode(by_kombu["body"])
    assert json.loads(ours.pop("body")) == without_nulls(json.loads(by_kombu.pop("body")))
    assert ours == without_nulls(by_kombu)


def without_nulls(value: Any) -> Any:
    """Return the value without null members."""
    if isinstance(value, dict):
        return {name: without_nulls(each) for name, each in value.items() if each is not None}
    return list(map(without_nulls, value)) if isinstance(value, list) else value
