"""Probes and worker heartbeats."""

from chat.store import client, server_info, workers


def ping() -> None:
    """Check that Redis answers.

    Raises:
        StoreUnavailable: no answer within `CHAT_STORE_TIMEOUT`.
    """
    client.ping()


def may_evict_keys() -> bool:
    """Return whether Redis deletes keys when memory runs out. Accepted messages could get lost.

    Raises:
        StoreUnavailable: no answer.
        ConfigError: the user in `REDIS_URL` has no permission to ask.
    """
    return server_info.get_server_info().maxmemory_policy != "noeviction"


def heartbeat(worker: str, *, running: int) -> None:
    """Record that a worker is alive, with its number of turns in flight.

    Raises:
        StoreUnavailable
    """
    workers.heartbeat(worker, running_turns=running)


def unregister(worker: str) -> None:
    """Record that a worker stopped.

    Raises:
        StoreUnavailable: its registration expires by itself.
    """
    workers.unregister(worker)
