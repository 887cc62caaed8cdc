"""Liveness, readiness and the heartbeats of workers."""

import asyncio
import logging
from collections.abc import Callable
from functools import cache

from chat import broker
from chat.domain.errors import BrokerUnavailable, ConfigError, StoreUnavailable
from chat.startup import exit_on_config_error
from chat.store import partitions, server_info, workers

logger = logging.getLogger(__name__)


def ping() -> None:
    """Check that Redis answers and has this number of partitions.

    Raises:
        StoreUnavailable: no answer within `CHAT_STORE_TIMEOUT`, or another number of partitions.
    """
    server_info.ping()
    try:
        check_partitions(is_start=True)
    except ConfigError as error:
        raise StoreUnavailable(error.message) from error


async def ping_on_loop() -> None:
    """Do the same on the connections of this event loop and of the threads; polls use the first.

    Raises:
        StoreUnavailable
    """
    await server_info.ping.on_loop()
    await asyncio.to_thread(ping)


@cache
def check_partitions(*, is_start: bool = False) -> None:
    """Check `CHAT_PARTITIONS` against the data in Redis; once it is right, do not check again.

    is_start: store it if Redis has no number yet.

    Raises:
        ConfigError: it differs.
        StoreUnavailable: no answer.
    """
    partitions.check(is_start=is_start)


def exit_on_wrong_partitions(*, is_start: bool = True) -> None:
    """Exit with one line if `CHAT_PARTITIONS` differs from the data in Redis.

    Without Redis the process starts, and checks later. is_start: as in `check_partitions`.

    Raises:
        SystemExit
    """
    with exit_on_config_error():
        _check_if_available("CHAT_PARTITIONS", lambda: check_partitions(is_start=is_start))


def exit_on_wrong_servers() -> None:
    """Do the same, also if the broker is a node of a Redis Cluster.

    Raises:
        SystemExit
    """
    exit_on_wrong_partitions()
    with exit_on_config_error():
        _check_if_available("BROKER_URL", broker.check_server)


def check_servers() -> None:
    """Check the same, as far as the servers answer.

    Raises:
        ConfigError: a process would not start with them.
    """
    _check_if_available("CHAT_PARTITIONS", check_partitions)
    _check_if_available("BROKER_URL", broker.check_server)


def _check_if_available(name: str, check: Callable[[], None]) -> None:
    try:
        check()
    except (StoreUnavailable, BrokerUnavailable) as error:
        logger.warning("Could not check %s: %s", name, error.__cause__)


def may_evict_keys() -> bool:
    """Return whether Redis deletes keys when memory runs out. Accepted messages could get lost.

    Raises:
        StoreUnavailable: no answer.
        ConfigError: the user in `REDIS_URL` has no permission to ask.
    """
    infos, _ = server_info.get_server_infos()
    return any(info.maxmemory_policy != "noeviction" for info in infos)


async def heartbeat(worker: str, *, running: int) -> list[str]:
    """Record that a worker is alive, with its number of turns in flight; return all live workers.

    Raises:
        StoreUnavailable
    """
    return await workers.heartbeat.on_loop(worker, running_turns=running)
