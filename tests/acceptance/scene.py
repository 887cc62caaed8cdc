"""Where one row happens: a Parley of its own, its clients, and the audit at the end."""

import os
import time
from dataclasses import replace
from typing import Any

import requests
from celery import Celery
from redis.exceptions import BusyLoadingError, RedisError

from chat.broker import QUEUE, TAKE_TURN
from project.runner.process import Program
from tests.acceptance.audit import Call, Evidence, audit
from tests.acceptance.client import Client
from tests.acceptance.history import History, Post
from tests.acceptance.kept import Kept, read, reader
from tests.harness.key_leaks import keys_without_ttl
from tests.harness.processes import Process
from tests.harness.proxy import Proxy
from tests.harness.stack import Stack
from tests.harness.wait import wait_until

LEASE, GRACE, SWEEP = 2.0, 1.0, 1.0
"""Seconds; the bounds that rows assert are made of these."""
KNOBS = {
    "CHAT_LEASE_TTL": str(LEASE),
    "CHAT_WAKE_GRACE": str(GRACE),
    "CHAT_SWEEP_INTERVAL": str(SWEEP),
    "CHAT_HEARTBEAT_INTERVAL": "0.5",
    "CHAT_DRAIN_TIMEOUT": "2",
    "CHAT_RETRY_BACKOFF": "0.2",
    # Paces are not what these rows are about, and all clients have one address.
    "CHAT_MESSAGES_PER_MINUTE": "0",
    "CHAT_SESSIONS_PER_MINUTE": "0",
}
LOOK = 0.02
"""Seconds between two looks at everything, which take a few milliseconds each."""
MODEL = ("--record", "--style", "echo")
"""Echoes, so that the audit can tell whose reply a reply is."""


class Scene:
    """Processes, clients, and what both have left behind."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.history = History()
        self.data_url = stack.redis.url
        self.redis = reader(self.data_url)
        """The test's own way to the data; no proxy is in it."""
        self._proxies: list[Proxy] = []

    def start(self, *, webs: int = 1, workers: int = 1) -> "Scene":
        """Start the stack."""
        self.stack.start(webs=webs, workers=workers)
        return self

    def start_others(self, *, webs: int = 1, workers: int = 1) -> None:
        """Start all but Redis."""
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
        """Put a proxy in front of the server at `url`."""
        proxy = Proxy(url)
        self._proxies.append(proxy)
        return proxy

    def reroute(self, process: Process, **variables: str) -> None:
        """Give a process that does not run yet other variables than the rest of the stack."""
        program: Program = process.program
        process.program = replace(program, env={**program.env, **variables})

    def client(self, **fields: Any) -> Client:
        """Open a session; `fields` are those of `POST /sessions`."""
        return Client(self.web.url, self.history).open(**fields)

    def clients(self, count: int) -> list[Client]:
        """Open so many sessions."""
        return [self.client() for _ in range(count)]

    def script(self, *steps: dict[str, Any]) -> None:
        """Tell the model how to answer the next calls."""
        requests.post(
            f"{self.stack.model.url}/__script__", json={"steps": steps}, timeout=10
        ).raise_for_status()

    def calls(self, match: str = "") -> list[Call]:
        """Return the model's record, or the calls of it whose last message contains `match`."""
        query = {"limit": "100000", "match": match}
        answer = requests.get(f"{self.stack.model.url}/__calls__", params=query, timeout=10)
        calls: list[Call] = answer.json()["calls"]
        return calls

    def wait_for_hang_up(self, post: Post) -> None:
        """Return once the first call for a post has been ended by Parley."""
        wait_until(
            lambda: self.calls(post.content)[0]["client_disconnected"], within=30, every=LOOK
        )

    def wait_for_call(self, post: Post, number: int = 1) -> None:
        """Return once the model is asked for the reply to a post for this time."""
        wait_until(lambda: len(self.calls(post.content)) >= number, within=30, every=LOOK)

    def wake(self, session_id: str, *, times: int, **more: Any) -> None:
        """Deliver a wake-up for a session so many times; `more` is what it says beside that."""
        celery = Celery(broker=self.stack.redis.url, set_as_current=False)
        with celery.connection_for_write() as connection:
            for _ in range(times):
                celery.send_task(
                    TAKE_TURN,
                    kwargs={"session_id": session_id, **more},
                    headers={"novelty": "of a newer version"} if more else None,
                    queue=QUEUE,
                    connection=connection,
                    ignore_result=True,
                )

    def flush(self, server: Process) -> None:
        """Make a Redis forget everything."""
        with reader(server.url) as redis:
            redis.flushall()

    def rewrite_aof(self) -> None:
        """Have Redis put its data into a form from which it loads key by key."""
        self.redis.bgrewriteaof()
        wait_until(lambda: not self.redis.info("persistence")["aof_rewrite_in_progress"], within=30)

    def cut_aof(self, *, bytes_off: int) -> None:
        """Take the last bytes off what Redis, which is down, has written last."""
        files = (self.stack.directory / "redis" / "appendonlydir").glob("*.incr.aof")
        newest = max(files, key=lambda file: file.stat().st_mtime)
        os.truncate(newest, newest.stat().st_size - bytes_off)

    def slow_loading(self, *, microseconds: int) -> None:
        """Have Redis take so long for each key at its next start, and answer in between."""
        with (self.stack.directory / "redis" / "redis.conf").open("a") as configuration:
            configuration.write(f"key-load-delay {microseconds}\n")
            configuration.write("loading-process-events-interval-bytes 1024\n")

    def is_loading(self) -> bool:
        """Whether Redis says that it is loading its data."""
        try:
            return not self.redis.ping()
        except BusyLoadingError:
            return True
        except RedisError:
            return False

    def now(self) -> float:
        """Return Redis's time, seconds since the epoch, as it stands in messages."""
        seconds, microseconds = self.redis.time()
        return float(seconds + microseconds / 1_000_000)

    def wait_for_time(self, moment: float) -> None:
        """Return when Redis's clock has reached this moment."""
        wait_until(lambda: self.now() >= moment, within=120, every=LOOK)

    def pause(self, seconds: float) -> None:
        """Let this much of the test's own time go by, whatever Redis does meanwhile."""
        begun = time.monotonic()
        wait_until(lambda: time.monotonic() >= begun + seconds, within=seconds + 60, every=LOOK)

    def kept(self) -> Kept:
        """Return all that stands in Redis."""
        return read(self.redis)

    def wait_for_streams(self, number: int) -> None:
        """Return once so many replies are being written and have text."""
        wait_until(lambda: self._partials() == number, within=30, every=LOOK)

    def _partials(self) -> int:
        return sum(1 for _ in self.redis.scan_iter("chat:{*}:partial:*", count=1000))

    def rest(self, *, within: float = 60.0) -> None:
        """Return when no turn waits or runs any more."""
        wait_until(self._is_at_rest, within=within, every=LOOK)

    def _is_at_rest(self) -> bool:
        pipeline = self.redis.pipeline(transaction=False)
        for key in self.redis.scan_iter("chat:{*}:session:*", count=1000):
            pipeline.hmget(key, "running_turn", "waiting")
        # A session may vanish in between.
        return all(fields in (["0", "0"], [None, None]) for fields in pipeline.execute())

    def audit(self) -> None:
        """Fail unless everything is as it must be at rest."""
        self.rest()
        wrong = audit(Evidence(self.history, self.kept(), self.calls()))
        wrong += [f"{key} stays for ever" for key in keys_without_ttl(self.data_url)]
        assert not wrong, f"{len(wrong)} wrong:\n" + "\n".join(each[:1000] for each in wrong[:10])

    def end(self) -> None:
        """Let go of what is held here; the stack is ended by whoever built it."""
        for proxy in self._proxies:
            proxy.refuse_connections()
        self.redis.close()
