"""The deployment of one test: its own processes and clients, and an audit at the end."""

import os
import time
from dataclasses import replace
from typing import Any

import requests
from celery import Celery
from redis.exceptions import BusyLoadingError, RedisError

from chat.broker import QUEUE, WAKE_UP
from project.runner.process import Program
from tests.acceptance.audit import Call, Evidence, audit
from tests.acceptance.client import Client
from tests.acceptance.history import History, Post
from tests.acceptance.redis_state import RedisState, connect, read_state
from tests.harness.key_leaks import keys_without_ttl
from tests.harness.processes import Process
from tests.harness.proxy import Proxy
from tests.harness.stack import Stack
from tests.harness.wait import wait_until

# Seconds; tests derive their time limits from these.
LEASE_TTL, WAKE_GRACE, SWEEP_INTERVAL = 2.0, 1.0, 1.0
SETTINGS = {
    "CHAT_LEASE_TTL": str(LEASE_TTL),
    "CHAT_WAKE_GRACE": str(WAKE_GRACE),
    "CHAT_SWEEP_INTERVAL": str(SWEEP_INTERVAL),
    "CHAT_LEASE_RENEWAL_INTERVAL": "0.5",
    "CHAT_DRAIN_TIMEOUT": "2",
    "CHAT_RETRY_BACKOFF": "0.2",
    # All clients have the same address, and these tests are not about rate limits.
    "CHAT_MESSAGES_PER_MINUTE": "0",
    "CHAT_CHANGES_PER_MINUTE": "0",
    "CHAT_MAX_SESSIONS_PER_ADDRESS": "0",
    "CHAT_MAX_BYTES_PER_ADDRESS": "0",
    "CHAT_SESSIONS_PER_MINUTE": "0",
}
# Seconds between two checks, which take a few milliseconds each.
POLL_INTERVAL = 0.02
# The model echoes, so that the audit can match replies to messages.
MODEL_OPTIONS = ("--record", "--style", "echo")


class Deployment:
    """Processes, clients, and the records of both."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.history = History()
        self.data_url = stack.redis.url
        # The test's own connection, without a proxy.
        self.redis = connect(self.data_url)
        self._proxies: list[Proxy] = []

    def start(self, *, webs: int = 1, workers: int = 1) -> "Deployment":
        self.stack.start(webs=webs, workers=workers)
        return self

    def start_others(self, *, webs: int = 1, workers: int = 1) -> None:
        """Start all processes except Redis."""
        self.stack.start_others(webs=webs, workers=workers)

    @property
    def web(self) -> Process:
        """The first web process."""
        return self.stack.web()

    @property
    def worker(self) -> Process:
        """The first worker."""
        return self.stack.worker()

    def proxy(self, url: str) -> Proxy:
        """Create a proxy in front of the server at `url`."""
        proxy = Proxy(url)
        self._proxies.append(proxy)
        return proxy

    def reroute(self, process: Process, **variables: str) -> None:
        """Override environment variables of a process that is not started yet."""
        program: Program = process.program
        process.program = replace(program, env={**program.env, **variables})

    def client(self, **fields: Any) -> Client:
        """Create a session; `fields` are those of `POST /sessions`."""
        return Client(self.web.url, self.history).open(**fields)

    def clients(self, count: int) -> list[Client]:
        """Create this number of sessions."""
        return [self.client() for _ in range(count)]

    def script(self, *steps: dict[str, Any]) -> None:
        """Set the model's responses to the next calls."""
        requests.post(
            f"{self.stack.model.url}/__script__", json={"steps": steps}, timeout=10
        ).raise_for_status()

    def calls(self, match: str = "") -> list[Call]:
        """Return the recorded model calls whose last message contains `match`."""
        query = {"limit": "100000", "match": match}
        answer = requests.get(f"{self.stack.model.url}/__calls__", params=query, timeout=10)
        calls: list[Call] = answer.json()["calls"]
        return calls

    def wait_for_disconnect(self, post: Post) -> None:
        """Wait until Parley has disconnected from the first model call for a post."""
        wait_until(
            lambda: self.calls(post.content)[0]["client_disconnected"],
            within=30,
            every=POLL_INTERVAL,
        )

    def wait_for_call(self, post: Post, number: int = 1) -> None:
        """Wait until the model was called this number of times for a post."""
        wait_until(lambda: len(self.calls(post.content)) >= number, within=30, every=POLL_INTERVAL)

    def wake(self, session_id: str, *, times: int, **more: Any) -> None:
        """Publish wake-ups for a session; `more` are additional arguments of the task."""
        celery = Celery(broker=self.stack.redis.url, set_as_current=False)
        with celery.connection_for_write() as connection:
            for _ in range(times):
                celery.send_task(
                    WAKE_UP,
                    kwargs={"session_id": session_id, **more},
                    headers={"future_header": "of a newer version"} if more else None,
                    queue=QUEUE,
                    connection=connection,
                    ignore_result=True,
                )

    def flush(self, server: Process) -> None:
        """Delete all data of a Redis server."""
        with connect(server.url) as redis:
            redis.flushall()

    def rewrite_aof(self) -> None:
        """Rewrite Redis's append-only file, so that Redis loads it key by key."""
        self.redis.bgrewriteaof()
        wait_until(lambda: not self.redis.info("persistence")["aof_rewrite_in_progress"], within=30)

    def truncate_aof(self, *, bytes_off: int) -> None:
        """Remove the last bytes of the append-only file while Redis is stopped."""
        files = (self.stack.directory / "redis" / "appendonlydir").glob("*.incr.aof")
        newest = max(files, key=lambda file: file.stat().st_mtime)
        os.truncate(newest, newest.stat().st_size - bytes_off)

    def slow_down_loading(self, *, microseconds: int) -> None:
        """Make Redis load this slowly per key at its next start, and respond while loading."""
        with (self.stack.directory / "redis" / "redis.conf").open("a") as configuration:
            configuration.write(f"key-load-delay {microseconds}\n")
            configuration.write("loading-process-events-interval-bytes 1024\n")

    def is_loading(self) -> bool:
        """Return whether Redis is loading its data."""
        try:
            return not self.redis.ping()
        except BusyLoadingError:
            return True
        except RedisError:
            return False

    def now(self) -> float:
        """Return Redis's time in seconds since the epoch, as in messages."""
        seconds, microseconds = self.redis.time()
        return float(seconds + microseconds / 1_000_000)

    def wait_for_time(self, moment: float) -> None:
        """Wait until Redis's clock has reached this moment."""
        wait_until(lambda: self.now() >= moment, within=120, every=POLL_INTERVAL)

    def sleep(self, seconds: float) -> None:
        """Wait by the test's own clock, not by Redis's."""
        start = time.monotonic()
        wait_until(
            lambda: time.monotonic() >= start + seconds, within=seconds + 60, every=POLL_INTERVAL
        )

    def redis_state(self) -> RedisState:
        return read_state(self.redis)

    def wait_for_streams(self, number: int) -> None:
        """Wait until this number of replies are in progress and have text."""
        wait_until(lambda: self._partials() == number, within=30, every=POLL_INTERVAL)

    def _partials(self) -> int:
        return sum(1 for _ in self.redis.scan_iter("chat:{*}:partial:*", count=1000))

    def wait_until_idle(self, *, within: float = 60.0) -> None:
        """Wait until no turn is queued or running."""
        wait_until(self._is_idle, within=within, every=POLL_INTERVAL)

    def _is_idle(self) -> bool:
        pipeline = self.redis.pipeline(transaction=False)
        for key in self.redis.scan_iter("chat:{*}:session:*", count=1000):
            pipeline.hmget(key, "running_turn", "waiting")
        # A session may be deleted in between.
        return all(fields in (["0", "0"], [None, None]) for fields in pipeline.execute())

    def audit(self) -> None:
        """Fail unless all invariants hold."""
        self.wait_until_idle()
        errors = audit(Evidence(self.history, self.redis_state(), self.calls()))
        errors += [f"{key} has no TTL" for key in keys_without_ttl(self.data_url)]
        shown = "\n".join(error[:1000] for error in errors[:10])
        assert not errors, f"{len(errors)} errors:\n{shown}"

    def close(self) -> None:
        """Close proxies and connections; the fixture shuts the stack down."""
        for proxy in self._proxies:
            proxy.refuse_connections()
        self.redis.close()
