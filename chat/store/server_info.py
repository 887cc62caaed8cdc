"""Version, settings and clock of the Redis server."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from redis.exceptions import NoPermissionError, ResponseError

from chat.domain.errors import ConfigError
from chat.store.client import client, disk_problem, map_redis_errors


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerInfo:
    """What the checks of a deployment need to know of the server."""

    # Redis or Valkey.
    name: str
    version: tuple[int, ...]
    # With anything but `noeviction`, Redis may delete accepted messages.
    maxmemory_policy: str
    # Bytes of data at which it rejects writes; 0 without a limit.
    maxmemory: int
    # It writes an append-only file.
    has_aof: bool
    # Why it cannot write to its disk, so that it accepts no writes; "" if it can.
    disk_problem: str
    # Since its start, it replied this often before a write was on disk, because fsync was slow.
    delayed_fsyncs: int
    # `master`, or it accepts no writes.
    role: str
    # Seconds of the fastest of a few round trips.
    latency: float
    # Seconds by which its clock is ahead of this process's.
    clock_skew: float


def get_server_info() -> ServerInfo:
    """Return information about the server. Its user needs INFO, TIME and PING, but not CONFIG.

    Raises:
        StoreUnavailable: Redis did not answer.
        ConfigError: the database does not exist, or the user lacks permissions.
    """
    with config_errors(), map_redis_errors():
        info = client().info("everything")
        seconds, microseconds = client().time()
        local_time = time.time()
        latency = min(_round_trip() for _ in range(5))
        problem = _disk_problem()
    is_valkey = "valkey_version" in info
    version = str(info["valkey_version" if is_valkey else "redis_version"])
    return ServerInfo(
        name="Valkey" if is_valkey else "Redis",
        version=tuple(int(part) for part in version.split(".")),
        maxmemory_policy=str(info["maxmemory_policy"]),
        maxmemory=int(info["maxmemory"]),
        disk_problem=problem,
        has_aof=bool(info["aof_enabled"]),
        delayed_fsyncs=int(info.get("aof_delayed_fsync", 0)),  # missing without an AOF
        role=str(info["role"]),
        latency=latency,
        clock_skew=seconds + microseconds / 1_000_000 - local_time,
    )


@contextmanager
def config_errors() -> Iterator[None]:
    """Turn errors that a wrong `REDIS_URL` causes into ConfigError."""
    try:
        yield
    except NoPermissionError as error:
        message = "REDIS_URL: its user lacks permissions that docs/security.md lists"
        raise ConfigError(message) from error
    except ResponseError as error:  # for example, the database does not exist
        raise ConfigError(f"REDIS_URL: Redis rejects it: {error}") from error


def now() -> float:
    """Return the server's time in seconds since the epoch, rounded to milliseconds.

    Raises:
        StoreUnavailable: Redis did not answer.
    """
    with map_redis_errors():
        seconds, microseconds = client().time()
    return round(seconds + microseconds / 1_000_000, 3)


def _round_trip() -> float:
    started = time.perf_counter()
    client().time()
    return time.perf_counter() - started


def _disk_problem() -> str:
    """Return why the server cannot write to its disk; it then rejects PING, but not INFO, TIME."""
    try:
        client().ping()
    except ResponseError as error:
        if problem := disk_problem(error):
            return problem
        raise
    return ""
