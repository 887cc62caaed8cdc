"""Version, settings and clock of the Redis server."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from redis.exceptions import (
    ConnectionError,  # noqa: A004  # redis-py's
    NoPermissionError,
    RedisError,
    ResponseError,
    TimeoutError,  # noqa: A004
)

from chat.domain.errors import ConfigError, StoreUnavailable
from chat.store.calls import Steps, send, store_call
from chat.store.client import (
    client,
    disk_problem,
    execute_command,
    execute_on,
    find_masters,
    map_redis_errors,
    unavailable,
)
from chat.store.topology import Node

IS_CLUSTER = "REDIS_URL: the server is a node of a Redis Cluster: use redis+cluster://"
IS_NO_CLUSTER = "REDIS_URL: the server is not a Redis Cluster: use redis:// or rediss://"
# A part of Redis's reply to commands of a Cluster.
NO_CLUSTER_SUPPORT = "cluster support disabled"
# Round trips of which the fastest one counts.
ROUND_TRIPS = 5


@store_call
def ping() -> Steps[None]:
    """Check that Redis answers.

    Raises:
        StoreUnavailable: it does not answer within `STORE_TIMEOUT`.
    """
    yield from send(("PING",))


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerInfo:
    """What the checks of a deployment need to know of the server."""

    # Host and port of a Cluster's node; empty for the only server.
    address: str
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


def get_server_infos() -> tuple[list[ServerInfo], list[StoreUnavailable]]:
    """Return information about the only server, or all masters; and why others did not answer.

    Their user needs INFO, TIME and PING, but not CONFIG.

    Raises:
        StoreUnavailable: no server answered.
        ConfigError: the database does not exist, or the user lacks permissions.
    """
    infos: list[ServerInfo] = []
    failures: list[StoreUnavailable] = []
    with config_errors(), map_redis_errors():
        for node in find_masters():
            try:
                infos.append(_get_server_info(node))
            except (ConnectionError, TimeoutError) as error:
                failures.append(_failure(node, error))
    if not infos:
        raise failures[0]
    return infos, failures


def _failure(node: Node, error: RedisError) -> StoreUnavailable:
    if address := _address(node):
        error.args = (f"{address}: {error}",)
    return unavailable(error)


def _get_server_info(node: Node) -> ServerInfo:
    info_text, redis_time, pong = execute_on(node, ("INFO", "everything"), ("TIME",), ("PING",))
    local_time = time.time()
    for reply in (info_text, redis_time):
        if isinstance(reply, RedisError):
            raise reply
    info = _parse_info(info_text)
    is_valkey = "valkey_version" in info
    version = info["valkey_version" if is_valkey else "redis_version"]
    return ServerInfo(
        address=_address(node),
        name="Valkey" if is_valkey else "Redis",
        version=tuple(int(part) for part in version.split(".")),
        maxmemory_policy=info["maxmemory_policy"],
        maxmemory=int(info["maxmemory"]),
        disk_problem=_disk_problem(pong),
        has_aof=info["aof_enabled"] == "1",
        delayed_fsyncs=int(info.get("aof_delayed_fsync", 0)),  # missing without an AOF
        role=info["role"],
        latency=min(_round_trip(node) for _ in range(ROUND_TRIPS)),
        clock_skew=parse_time(redis_time) - local_time,
    )


def _address(node: Node) -> str:
    host, port = node
    return f"{host}:{port}" if port else ""


def _parse_info(text: bytes) -> Mapping[str, str]:
    pairs = (line.partition(":") for line in text.decode().splitlines())
    return {name: value for name, separator, value in pairs if separator}


def check_kind() -> None:
    """Check that `REDIS_URL` names a Cluster as one, and another server as another.

    Raises:
        ConfigError: it does not.
        StoreUnavailable: Redis did not answer.
    """
    store = client()
    if store.topology.is_cluster:
        find_masters()  # other servers reject this
        return
    with suppress(NoPermissionError):
        if b"cluster_enabled:1" in execute_command("INFO", "cluster"):
            raise ConfigError(IS_CLUSTER)


@contextmanager
def config_errors() -> Iterator[None]:
    """Turn errors that a wrong `REDIS_URL` causes into ConfigError."""
    try:
        yield
    except NoPermissionError as error:
        message = "REDIS_URL: its user lacks permissions that docs/security.md lists"
        raise ConfigError(message) from error
    except ResponseError as error:
        if NO_CLUSTER_SUPPORT in str(error):
            raise ConfigError(IS_NO_CLUSTER) from error
        # For example, the database does not exist.
        raise ConfigError(f"REDIS_URL: Redis rejects it: {error}") from error


def now() -> float:
    """Return the server's time in seconds since the epoch, rounded to milliseconds.

    Raises:
        StoreUnavailable: Redis did not answer.
    """
    return round(parse_time(execute_command("TIME")), 3)


def parse_time(reply: Sequence[bytes]) -> float:
    """Return seconds since the epoch from a reply to TIME."""
    seconds, microseconds = map(int, reply)
    return seconds + microseconds / 1_000_000


def _round_trip(node: Node) -> float:
    started = time.perf_counter()
    execute_on(node, ("TIME",))
    return time.perf_counter() - started


def _disk_problem(pong: Any) -> str:
    """Return why the server cannot write to its disk; it then rejects PING, but not INFO, TIME."""
    if not isinstance(pong, RedisError):
        return ""
    if problem := disk_problem(pong):
        return problem
    raise pong
