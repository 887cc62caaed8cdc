"""The registry of workers, by their heartbeats, and their answers to pings."""

import math
from dataclasses import dataclass

import orjson

from chat.settings import chat_settings
from chat.store import keys
from chat.store.calls import Steps, send, store_call
from chat.store.client import execute_command, execute_commands
from chat.store.scripts import ScriptCall, milliseconds, read_script
from chat.store.server_info import config_errors, parse_time

# Seconds after which a worker without a heartbeat is removed.
WORKER_TTL = 600
# A worker without a heartbeat for this many sweep intervals no longer shares the sweep.
MISSED_HEARTBEATS = 4
# Seconds. A heartbeat further ahead is from before the clock stepped back. Its worker, if it is
# alive, sends another one within a second.
MAX_AHEAD = 2.0
# Seconds that an answer to a ping is kept.
ANSWER_TTL = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerInfo:
    """A worker's last heartbeat."""

    name: str
    # Seconds since the heartbeat.
    age: float
    running_turns: int


@store_call
def heartbeat(worker: str, *, running_turns: int) -> Steps[list[str]]:
    """Record a heartbeat at Redis's time; return all workers that are alive. One round trip.

    Raises:
        StoreUnavailable: Redis did not answer.
    """
    silence = milliseconds(MISSED_HEARTBEATS * chat_settings.SWEEP_INTERVAL)
    args = (worker, running_turns, WORKER_TTL, silence)
    alive = yield from send(ScriptCall(read_script("worker_heartbeat"), [keys.workers()], args))
    return [name.decode() for name in alive]


@store_call
def unregister(worker: str) -> Steps[None]:
    """Remove a worker that stops.

    Raises:
        StoreUnavailable: Redis did not answer.
    """
    yield from send(("HDEL", keys.workers(), worker))


@store_call
def answer_ping(ping_id: str, worker: str) -> Steps[None]:
    """Store that a worker received a ping.

    Raises:
        StoreUnavailable: Redis did not answer.
    """
    yield from send(("SET", keys.ping(ping_id), worker, "EX", ANSWER_TTL))


def read_answer(ping_id: str) -> str | None:
    """Return the worker that received the ping, or `None`.

    Raises:
        StoreUnavailable: Redis did not answer.
    """
    with config_errors():
        worker = execute_command("GET", keys.ping(ping_id))
    return worker.decode() if isinstance(worker, bytes) else None


def list_workers() -> list[WorkerInfo]:
    """Return the workers, latest heartbeat first, and remove those that are long dead.

    Raises:
        StoreUnavailable: Redis did not answer.
        ConfigError: the user of `REDIS_URL` lacks permissions.
    """
    commands = [("TIME",), ("HGETALL", keys.workers())]
    with config_errors():
        time, heartbeats = execute_commands(commands)
        now = parse_time(time)
        workers = [
            _worker(name.decode(), orjson.loads(heartbeat), now)
            for name, heartbeat in zip(heartbeats[::2], heartbeats[1::2], strict=True)
        ]
        if dead := [worker.name for worker in workers if worker.age > WORKER_TTL]:
            execute_command("HDEL", keys.workers(), *dead)
    alive = (worker for worker in workers if worker.age <= WORKER_TTL)
    return sorted(alive, key=lambda worker: worker.age)


def _worker(name: str, heartbeat: dict[str, float], now: float) -> WorkerInfo:
    ahead = heartbeat["at"] - now
    age = max(0.0, -ahead) if ahead <= MAX_AHEAD else math.inf
    return WorkerInfo(name=name, age=age, running_turns=int(heartbeat["running"]))
