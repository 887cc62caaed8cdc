"""What the Redis server says about itself, and which workers have shown life."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import orjson
from redis.exceptions import NoPermissionError, ResponseError

from chat.domain.errors import ConfigError
from chat.store import keys
from chat.store.client import client, map_errors
from chat.store.scripts import ScriptCall, read_script, run_script

WORKER_TTL = 600
"""Seconds for which a worker that shows no life is listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerInfo:
    """One look at the server."""

    name: str
    """Redis or Valkey."""
    version: tuple[int, ...]
    maxmemory_policy: str
    """What it does when memory runs out; only `noeviction` keeps promises."""
    has_aof: bool
    """Whether it writes an append-only file."""
    delayed_fsyncs: int
    """Times that it answered before it wrote, since it started, for its disk was slow to sync."""
    role: str
    """`master`, or else it takes no writes."""
    latency: float
    """Seconds that the quickest of a few PINGs took."""
    clock_skew: float
    """Seconds by which its clock is ahead of this process's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerInfo:
    """A worker's last sign of life."""

    name: str
    age: float
    """Seconds since then."""
    running_turns: int
    """Turns that it had in flight."""


def server_info() -> ServerInfo:
    """Ask the server about itself; needs INFO, TIME and PING, no CONFIG.

    Raises:
        StoreUnavailable: it gives no answer.
        ConfigError: it refuses what `REDIS_URL` asks for, or that user may not ask.
    """
    with config_errors():
        return _server_info()


@contextmanager
def config_errors() -> Iterator[None]:
    try:
        yield
    except NoPermissionError as error:
        rights = "its user lacks rights that docs/security.md names"
        raise ConfigError(f"REDIS_URL: {rights}") from error
    except ResponseError as error:  # there is no such database, say
        raise ConfigError(f"REDIS_URL: Redis refuses it: {error}") from error


def _server_info() -> ServerInfo:
    with map_errors():
        told = client().info("everything")
        seconds, microseconds = client().time()
        here = time.time()
        latency = min(_ping() for _ in range(5))
    is_valkey = "valkey_version" in told
    version = str(told["valkey_version" if is_valkey else "redis_version"])
    return ServerInfo(
        name="Valkey" if is_valkey else "Redis",
        version=tuple(int(part) for part in version.split(".")),
        maxmemory_policy=str(told["maxmemory_policy"]),
        has_aof=bool(told["aof_enabled"]),
        delayed_fsyncs=int(told.get("aof_delayed_fsync", 0)),  # told with an append-only file alone
        role=str(told["role"]),
        latency=latency,
        clock_skew=seconds + microseconds / 1_000_000 - here,
    )


def now() -> float:
    """Return the server's time, to the millisecond.

    Raises:
        StoreUnavailable: it gives no answer.
    """
    with map_errors():
        seconds, microseconds = client().time()
    return round(seconds + microseconds / 1_000_000, 3)


def heartbeat(worker: str, *, running_turns: int) -> None:
    """Write a worker's sign of life, with Redis's time; one round trip.

    Raises:
        StoreUnavailable: Redis gives no answer.
    """
    with map_errors():
        run_script(
            client(),
            ScriptCall(read_script("beat"), [keys.workers()], (worker, running_turns, WORKER_TTL)),
        )


def unregister(worker: str) -> None:
    """Take a worker that stops off the list.

    Raises:
        StoreUnavailable: Redis gives no answer.
    """
    with map_errors():
        client().hdel(keys.workers(), worker)


def list_workers() -> list[WorkerInfo]:
    """Return the workers that have shown life, the liveliest first; forget the long dead.

    Raises:
        StoreUnavailable: Redis gives no answer.
        ConfigError: the user of `REDIS_URL` may not ask.
    """
    looking = client().pipeline(transaction=False)
    looking.time()
    looking.hgetall(keys.workers())
    with config_errors(), map_errors():
        (seconds, microseconds), beats = looking.execute()
        now = seconds + microseconds / 1_000_000
        found = [_worker(name.decode(), orjson.loads(beat), now) for name, beat in beats.items()]
        if dead := [worker.name for worker in found if worker.age > WORKER_TTL]:
            client().hdel(keys.workers(), *dead)
    return sorted((w for w in found if w.age <= WORKER_TTL), key=lambda worker: worker.age)


def _worker(name: str, beat: dict[str, float], now: float) -> WorkerInfo:
    return WorkerInfo(name=name, age=max(0.0, now - beat["at"]), running_turns=int(beat["running"]))


def _ping() -> float:
    started = time.perf_counter()
    client().ping()
    return time.perf_counter() - started
