"""A wake-up as Celery and kombu write it.

Their way from a task to what stands in a queue takes longer than all else that posting a message
does to wake a worker. So it is gone once a process; of a second wake-up only the names differ.
"""

from base64 import b64decode, b64encode
from functools import cache
from typing import Any

from celery import current_app
from kombu import Connection, Producer
from kombu.utils.json import dumps

QUEUE = "chat"
TAKE_TURN = "chat.take_turn"
SESSION, TASK, BODY = "{session}", "{task}", "{body}"
"""Stand for what differs."""


def publish(producer: Producer, session_id: str, task_id: str) -> None:
    """Publish to the queue of any broker; the nameless exchange spares a look at bindings."""
    template = _template()
    producer.publish(
        [[], {"session_id": session_id}, template.body[2]],
        exchange="",
        routing_key=QUEUE,
        serializer="json",
        headers={**template.headers, "id": task_id, "root_id": task_id},
        correlation_id=task_id,
        retry=False,
    )


def sealed(session_id: str, task_id: str) -> str:
    """Return what `publish` would have Redis keep; the task's name marks the delivery, too."""
    body, message = _form()
    text = b64encode(body.replace(SESSION, session_id).encode()).decode()
    return message.replace(BODY, text).replace(TASK, task_id)


@cache
def _template() -> Any:
    """Return Celery's own form of the task's message, made once, by the installed version."""
    return current_app.amqp.as_task_v2("", TAKE_TURN, kwargs={}, ignore_result=True)


@cache
def _form() -> tuple[str, str]:
    """Return the body and what it is wrapped in, from a broker that is nothing but memory."""
    with Connection("memory://") as connection, Producer(connection) as producer:
        publish(producer, SESSION, TASK)
        channel: Any = producer.channel
        message = channel._get(QUEUE)  # noqa: SLF001  # as it stands there
    body = b64decode(message["body"]).decode()
    message["body"], message["properties"]["delivery_tag"] = BODY, TASK
    return body, dumps(message)
