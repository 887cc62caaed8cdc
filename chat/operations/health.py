"""Probes and worker heartbeats."""

import asyncio
import logging
from functools import cache

from chat.domain.errors import ConfigError, StoreUnavailable
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
        try:
            check_partitions(is_start=is_start)
        except StoreUnavailable as error:
            logger.warning("Could not check CHAT_PARTITIONS: %s", error.__cause__)


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
