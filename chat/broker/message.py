"""Messages in Celery's and kombu's format: wake-ups and pings.

Building a wake-up takes most of the time of publishing one. Therefore each process builds a
template once; messages differ only in the ids of session and task.
"""

from functools import cache
from typing import Any

from celery import current_app
from kombu import Connection, Producer
from kombu.utils.json import dumps, loads

from chat.domain.ids import random_id

QUEUE = "chat"
WAKE_UP = "chat.wake_up"
ANSWER_PING = "chat.answer_ping"
# AMQP's delivery mode of messages that the broker need not write to disk.
TRANSIENT = 1
SESSION_PLACEHOLDER, TASK_PLACEHOLDER = "{session}", "{task}"


def publish(
    producer: Producer,
    task_id: str,
    *,
    task: str = WAKE_UP,
    expires_in: float | None = None,
    **arguments: str,
) -> None:
    """Publish to any broker. The default exchange needs no lookup of bindings.

    expires_in: seconds after which RabbitMQ drops the message; Redis ignores it.
    """
    template = _task_message(task)
    producer.publish(
        [[], arguments, template.body[2]],
        exchange="",
        routing_key=QUEUE,
        serializer="json",
        headers={**template.headers, "id": task_id, "root_id": task_id},
        correlation_id=task_id,
        # The sweeper replaces a lost wake-up.
        delivery_mode=TRANSIENT,
        expiration=expires_in,
        retry=False,
    )


def new_task_id(session_id: str) -> str:
    """Return the id of a new wake-up."""
    return f"{session_id}-{random_id()}"


def serialize_message(session_id: str, task_id: str) -> str:
    """Return the message as kombu stores it in Redis; the task id is also the delivery tag."""
    return _template().replace(SESSION_PLACEHOLDER, session_id).replace(TASK_PLACEHOLDER, task_id)


@cache
def _task_message(task: str) -> Any:
    """Return the message that the installed version of Celery creates for the task."""
    return current_app.amqp.as_task_v2("", task, kwargs={}, ignore_result=True)


@cache
def _template() -> str:
    """Return a message that kombu has written to an in-memory broker, without null members.

    A worker treats missing members as null, and decodes the shorter message in two thirds of the
    time. The body is plain JSON: nothing on the way requires Base64.
    """
    with Connection("memory://") as connection, Producer(connection) as producer:
        channel: Any = producer.channel
        channel.body_encoding = None
        publish(producer, TASK_PLACEHOLDER, session_id=SESSION_PLACEHOLDER)
        message = channel._get(QUEUE)  # noqa: SLF001  # as stored, not decoded
    message["properties"]["delivery_tag"] = TASK_PLACEHOLDER
    message["body"] = dumps(_without_nulls(loads(message["body"])))
    return dumps(_without_nulls(message))


def _without_nulls(value: Any) -> Any:
    """Return the value without the null members of its objects."""
    if isinstance(value, dict):
        return {name: _without_nulls(each) for name, each in value.items() if each is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value
