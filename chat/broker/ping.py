"""Messages that show whether the broker works, without affecting wake-ups."""

import time
from typing import Any

from kombu import Producer, Queue

from chat.broker.connections import call_broker
from chat.broker.message import ANSWER_PING, QUEUE, publish
from chat.domain.ids import random_id

# Seconds after which RabbitMQ drops a ping that no worker takes.
PING_TTL = 60.0
# Seconds between two attempts to receive a message.
POLL_INTERVAL = 0.05


def publish_ping(ping_id: str) -> None:
    """Publish a ping to the queue of wake-ups; the worker that takes it stores an answer.

    Raises:
        BrokerUnavailable: the broker did not accept it.
    """
    call_broker(
        lambda channel: publish(
            Producer(channel),
            ping_id,
            task=ANSWER_PING,
            expires_in=PING_TTL,
            ping_id=ping_id,
        )
    )


def send_and_receive(*, within: float) -> bool:
    """Return whether a message comes back from a temporary queue in time.

    within: seconds.

    Raises:
        BrokerUnavailable: the broker did not accept the queue or the message.
    """
    # The ACL in docs/security.md allows this name.
    name = f"{QUEUE}:ping-queue:{random_id()}"
    return call_broker(lambda channel: _send_and_receive(channel, name, within))


def _send_and_receive(channel: Any, name: str, within: float) -> bool:
    queue = Queue(name, exclusive=True).bind(channel)
    queue.queue_declare()
    try:
        Producer(channel).publish("ping", exchange="", routing_key=name, retry=False)
        give_up_at = time.monotonic() + within
        while (message := queue.get(no_ack=True)) is None and time.monotonic() < give_up_at:
            time.sleep(POLL_INTERVAL)
        return message is not None
    finally:
        queue.delete()
