"""Check the broker's URL, and publish wake-ups."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings
from kombu import Connection, Producer
from kombu.exceptions import OperationalError

from chat.broker.amqp_url import is_amqp_url, parse_amqp_options
from chat.broker.connections import call_broker
from chat.broker.message import new_task_id, publish, serialize_message
from chat.broker.transport import (
    NO_CLUSTER,
    RedisChannel,
    kombu_url,
    reject_cluster_node,
    transport_path,
)
from chat.connection_url import scheme_of
from chat.domain.errors import BrokerUnavailable, ConfigError
from chat.redis_url import is_redis_url, parse_redis_url
from chat.settings import chat_settings


def check_url() -> None:
    """Check `BROKER_URL` without connecting, and whether it has the types of queues.

    Raises:
        ConfigError: it is not a URL, its transport is unknown, the transport's package missing, or
            an option unknown or invalid. The message quotes no part of the URL, except the scheme
            and an option's name.
    """
    url = settings.BROKER_URL
    try:
        if is_redis_url(url):
            if parse_redis_url(url).is_cluster:
                raise ConfigError(NO_CLUSTER)
        elif is_amqp_url(url):
            parse_amqp_options(url)
        else:
            _check_other_url(url)
    except ConfigError as error:
        raise ConfigError(f"BROKER_URL: {error.message}") from error
    if chat_settings.BROKER_QUEUE_TYPE and not is_amqp_url(url):
        raise ConfigError("CHAT_BROKER_QUEUE_TYPE requires an amqp:// URL in BROKER_URL")


def _check_other_url(url: str) -> None:
    """Check the URL of a broker that only kombu knows."""
    if not (scheme := scheme_of(url)):
        raise ConfigError("not a URL")
    try:
        Connection(url).get_transport_cls()
    except (LookupError, ImportError, TypeError, ValueError):
        # Without the text of the error, which may quote the password.
        message = f"not a valid {scheme}:// URL, or its package is not installed"
        raise ConfigError(message) from None


def check_server() -> None:
    """Check that the broker is not a node of a Redis Cluster.

    Takes `CHAT_PUBLISH_TIMEOUT`, at most. Celery needs no configuration, unlike for other calls.

    Raises:
        BrokerUnavailable: it is another Redis that does not answer.
        ConfigError: it is one.
    """
    url, timeout = settings.BROKER_URL, chat_settings.PUBLISH_TIMEOUT
    if not is_redis_url(url):
        return
    options = {"socket_timeout": timeout, "socket_connect_timeout": timeout, "max_retries": 0}
    transport = transport_path(url)
    with Connection(kombu_url(url), transport=transport, transport_options=options) as connection:
        errors: tuple[type[BaseException], ...] = (*connection.connection_errors, OperationalError)
        try:
            reject_cluster_node(connection.default_channel)
        except errors as error:
            raise BrokerUnavailable from error


def wake_session(session_id: str) -> bool:
    """Publish a wake-up for the session; return whether the broker accepted it."""
    return wake_sessions([session_id])


def wake_sessions(session_ids: Iterable[str]) -> bool:
    """Publish wake-ups; return whether the broker accepted all of them."""
    task_ids = {each: new_task_id(each) for each in session_ids}
    try:
        call_broker(lambda channel: _publish(channel, task_ids))
    except BrokerUnavailable:
        return False
    return True


def _publish(channel: Any, task_ids: Mapping[str, str]) -> None:
    if isinstance(channel, RedisChannel):
        channel.push(*(serialize_message(*ids) for ids in task_ids.items()))
        return
    producer = Producer(channel)
    for session_id, task_id in task_ids.items():
        publish(producer, task_id, session_id=session_id)
