"""A wake-up as Celery and kombu write it.

Their way from a task to what stands in a queue takes longer than all else that posting a message
does to wake a worker. So it is gone once a process; of a second wake-up only the names differ.
"""

from functools import cache
from typing import Any

from celery import current_app
from kombu import Connection, Producer
from kombu.utils.json import dumps, loads

QUEUE = "chat"
TAKE_TURN = "chat.take_turn"
SESSION_PLACEHOLDER, TASK_PLACEHOLDER = "{session}", "{task}"
"""Stand for what differs."""


def publish(producer: Producer, session_id: str, task_id: str) -> None:
    """Publish to the queue of any broker; the nameless exchange spares a look at bindings."""
    template = _task_message()
    producer.publish(
        [[], {"session_id": session_id}, template.body[2]],
        exchange="",
        routing_key=QUEUE,
        serializer="json",
        headers={**template.headers, "id": task_id, "root_id": task_id},
        correlation_id=task_id,
        retry=False,
    )


def serialize_message(session_id: str, task_id: str) -> str:
    """Return what `publish` would have Redis keep; the task's name marks the delivery, too."""
    return _template().replace(SESSION_PLACEHOLDER, session_id).replace(TASK_PLACEHOLDER, task_id)


@cache
def _task_message() -> Any:
    """Return Celery's own form of the task's message, made once, by the installed version."""
    return current_app.amqp.as_task_v2("", TAKE_TURN, kwargs={}, ignore_result=True)


@cache
def _template() -> str:
    """Return a message, from a broker that is nothing but memory; all that is null is left out.

    A worker reads what is left in two thirds of the time, and takes what is not there as null. Its
    body stands as the JSON that it is: nothing between here and there needs it in Base64.
    """
    with Connection("memory://") as connection, Producer(connection) as producer:
        channel: Any = producer.channel
        channel.body_encoding = None
        publish(producer, SESSION_PLACEHOLDER, TASK_PLACEHOLDER)
        message = channel._get(QUEUE)  # noqa: SLF001  # as it stands there
    message["properties"]["delivery_tag"] = TASK_PLACEHOLDER
    message["body"] = dumps(_without_nulls(loads(message["body"])))
    return dumps(_without_nulls(message))


def _without_nulls(value: Any) -> Any:
    """Return the value without the members of objects that are null."""
    if isinstance(value, dict):
        return {name: _without_nulls(each) for name, each in value.items() if each is not None}
    return [_without_nulls(each) for each in value] if isinstance(value, list) else value
