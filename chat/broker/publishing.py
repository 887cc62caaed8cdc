"""Check the broker's URL, and publish wake-ups."""

from typing import Any

from django.conf import settings
from kombu import Connection, Producer

from chat.broker.connections import call_broker
from chat.broker.message import publish, serialize_message
from chat.broker.transport import RedisChannel
from chat.domain.errors import BrokerUnavailable, ConfigError
from chat.domain.ids import random_id
from chat.redis_url import is_redis_url, parse_redis_url
from chat.settings import chat_settings


def check_url() -> None:
    """Check `BROKER_URL` without connecting, and whether it has the types of queues.

    Raises:
        ConfigError: it is not a URL, its transport is unknown, or the transport's package missing.
    """
    transport, separator, _ = settings.BROKER_URL.partition("://")
    if not separator:
        raise ConfigError("BROKER_URL: not a URL")
    try:
        if is_redis_url(settings.BROKER_URL):
            parse_redis_url(settings.BROKER_URL)
        else:
            Connection(settings.BROKER_URL).get_transport_cls()
    except ConfigError as error:
        raise ConfigError(f"BROKER_URL: {error.message}") from error
    except (LookupError, ImportError, ValueError) as error:
        # Without the text of `error`, which may quote the password.
        raise ConfigError(
            f"BROKER_URL: not a valid {transport}:// URL, or its package is not installed"
        ) from error
    if chat_settings.BROKER_QUEUE_TYPE and not transport.startswith("amqp"):
        raise ConfigError("CHAT_BROKER_QUEUE_TYPE requires an amqp:// URL in BROKER_URL")


def wake_session(session_id: str) -> bool:
    """Publish a wake-up for the session; return whether the broker accepted it."""
    task_id = f"{session_id}-{random_id()}"
    try:
        call_broker(lambda channel: _publish(channel, session_id, task_id))
    except BrokerUnavailable:
        return False
    return True


def _publish(channel: Any, session_id: str, task_id: str) -> None:
    if isinstance(channel, RedisChannel):
        channel.push(serialize_message(session_id, task_id))
    else:
        publish(Producer(channel), task_id, session_id=session_id)
