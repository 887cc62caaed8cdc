"""The queue of wake-ups: its properties, whether the broker has it with them, and its length."""

from http import HTTPStatus
from typing import Any

from amqp.exceptions import PreconditionFailed
from kombu import Queue
from kombu.exceptions import ChannelError

from chat.broker.connections import call_broker
from chat.broker.message import QUEUE
from chat.broker.transport import RedisChannel, SentinelChannel, reject_cluster_node
from chat.domain.errors import BrokerUnavailable, ConfigError
from chat.settings import chat_settings

QUEUE_TYPE_HELP = (
    f"CHAT_BROKER_QUEUE_TYPE: the broker has the queue {QUEUE!r} with another type (%s). Set the"
    f" type that it has, or stop the workers and delete it: rabbitmqctl delete_queue {QUEUE}"
)


def build_queue() -> Queue:
    """Return the queue that workers declare. Without a type, RabbitMQ uses its own default."""
    queue_type = chat_settings.BROKER_QUEUE_TYPE
    arguments = {"x-queue-type": queue_type} if queue_type else None
    return Queue(QUEUE, routing_key=QUEUE, queue_arguments=arguments)


def check_queue() -> None:
    """Declare the queue.

    Raises:
        BrokerUnavailable: the broker is unreachable, or rejects the connection.
        ConfigError: the broker has the queue with other properties, for example of another type,
            or is a node of a Redis Cluster.
    """
    try:
        call_broker(_declare)
    except BrokerUnavailable as error:
        if isinstance(error.__cause__, ConfigError):
            raise error.__cause__ from error
        if isinstance(error.__cause__, PreconditionFailed):
            raise ConfigError(describe_rejection(error.__cause__)) from error
        raise


def _declare(channel: Any) -> None:
    if isinstance(channel, (RedisChannel, SentinelChannel)):
        reject_cluster_node(channel)
    build_queue().bind(channel).queue_declare()


def describe_rejection(error: BaseException) -> str:
    """Return the broker's reason. If the queue has another type: the setting and what to do."""
    if isinstance(error, PreconditionFailed):
        return QUEUE_TYPE_HELP % str(error.reply_text).removeprefix("PRECONDITION_FAILED - ")
    return str(error)


def queue_length() -> int | None:
    """Return the number of queued wake-ups, or `None` if the broker is unreachable."""
    try:
        return call_broker(_message_count)
    except BrokerUnavailable as error:
        return 0 if _is_not_found(error.__cause__) else None


def _message_count(channel: Any) -> int:
    return int(channel.queue_declare(QUEUE, passive=True).message_count)


def _is_not_found(error: BaseException | None) -> bool:
    """Return whether the broker has no such queue. To Redis, an empty queue does not exist."""
    code = error.reply_code if isinstance(error, ChannelError) else None
    return code is not None and int(code) == HTTPStatus.NOT_FOUND
