"""The faults of a soak: each one is injected, lasts for a while, and is repaired."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass

from tests.acceptance.soak.deployment import NUMBERS, SoakDeployment
from tests.harness.processes import Process
from tests.harness.proxy import Proxy

# An address without a Redis server.
UNREACHABLE = ("127.0.0.1", 1)
# How many faults to inject at the same time.
SIMULTANEOUS = (1, 1, 2)
# Seconds; the last one is longer than a lease.
DURATIONS = (0.0, 0.3, 1.0, 3.0)
# Seconds between two faults.
PAUSES = (0.3, 1.0, 2.0)

FaultContext = Callable[[SoakDeployment], AbstractContextManager[None]]


@contextmanager
def killed(process: Process) -> Iterator[None]:
    """SIGKILL."""
    process.kill()
    yield
    process.start()


@contextmanager
def stopped(process: Process) -> Iterator[None]:
    """SIGTERM, as in a deploy."""
    assert process.stop() in {0, -15}, f"{process.program.name} exits with {process.exit_code}"
    yield
    process.start()


@contextmanager
def frozen(process: Process) -> Iterator[None]:
    """SIGSTOP."""
    process.freeze()
    yield
    process.thaw()


@contextmanager
def refused(proxy: Proxy) -> Iterator[None]:
    """Existing connections are closed, new ones refused."""
    proxy.refuse_connections()
    yield
    proxy.accept_connections()


@contextmanager
def paused(proxy: Proxy) -> Iterator[None]:
    """Nothing is forwarded."""
    proxy.pause()
    yield
    proxy.resume()


@contextmanager
def half_open(proxy: Proxy) -> Iterator[None]:
    """Existing connections are dead, and neither side knows."""
    proxy.half_open()
    yield


@contextmanager
def disconnected(proxy: Proxy) -> Iterator[None]:
    """Existing connections are closed."""
    proxy.disconnect()
    yield


@contextmanager
def out_of_memory(soak: SoakDeployment) -> Iterator[None]:
    """Redis has reached `maxmemory`."""
    soak.redis.config_set("maxmemory", 1)
    yield
    soak.redis.config_set("maxmemory", 0)


@contextmanager
def read_only(soak: SoakDeployment) -> Iterator[None]:
    """Redis responds with READONLY."""
    soak.redis.replicaof(*UNREACHABLE)
    yield
    soak.redis.replicaof("NO", "ONE")


@contextmanager
def without_scripts(soak: SoakDeployment) -> Iterator[None]:
    """Redis has lost its scripts."""
    soak.redis.script_flush()
    yield


@contextmanager
def flushed(soak: SoakDeployment) -> Iterator[None]:
    """The broker has lost its messages."""
    soak.flush(soak.broker)
    yield


@dataclass(frozen=True, slots=True)
class Fault:
    name: str
    # A target has at most one fault at a time.
    target: str
    context: FaultContext


def all_faults() -> list[Fault]:
    """Return all faults; frequent ones are contained more than once."""
    faults = 3 * [Fault("kill redis", "redis", lambda soak: killed(soak.stack.redis))]
    faults += [
        Fault("freeze redis", "redis", lambda soak: frozen(soak.stack.redis)),
        Fault("fill redis", "redis", out_of_memory),
        Fault("make redis read-only", "redis", read_only),
        Fault("flush scripts", "redis", without_scripts),
        Fault("kill broker", "broker", lambda soak: killed(soak.broker)),
        Fault("freeze broker", "broker", lambda soak: frozen(soak.broker)),
        Fault("flush broker", "broker", flushed),
    ]
    for number in NUMBERS:
        faults += _worker_faults(number) + _web_faults(number)
    return faults


def _worker_faults(number: int) -> list[Fault]:
    name = f"worker{number}"
    index = number + len(NUMBERS)  # in `SoakDeployment.processes`
    return [
        *(2 * [Fault("kill worker", name, lambda soak: killed(soak.workers[number]))]),
        Fault("stop worker", name, lambda soak: stopped(soak.workers[number])),
        Fault("freeze worker", name, lambda soak: frozen(soak.workers[number])),
        Fault(
            "disconnect worker from redis", name, lambda soak: refused(soak.redis_proxies[index])
        ),
        Fault("pause worker's redis", name, lambda soak: paused(soak.redis_proxies[index])),
        Fault(
            "half-open worker's broker", name, lambda soak: half_open(soak.broker_proxies[index])
        ),
    ]


def _web_faults(number: int) -> list[Fault]:
    name = f"web{number}"
    return [
        *(2 * [Fault("kill web", name, lambda soak: killed(soak.webs[number]))]),
        Fault("stop web", name, lambda soak: stopped(soak.webs[number])),
        Fault("freeze web", name, lambda soak: frozen(soak.webs[number])),
        Fault("cut web's redis", name, lambda soak: disconnected(soak.redis_proxies[number])),
        Fault("pause web's broker", name, lambda soak: paused(soak.broker_proxies[number])),
        Fault("disconnect clients", name, lambda soak: disconnected(soak.web_proxies[number])),
    ]


class FaultInjector:
    """Injects faults in an order that depends on the seed only."""

    def __init__(self, deployment: SoakDeployment, seed: int) -> None:
        self.counts: Counter[str] = Counter()
        self._deployment = deployment
        self._random = random.Random(seed)
        self._queue: list[Fault] = []

    def inject(self, log: Callable[[str], None]) -> None:
        """Inject one or two faults, wait, repair them, and wait again."""
        faults = self._next_faults()
        seconds = self._random.choice(DURATIONS)
        log(f"{' and '.join(f'{fault.name} ({fault.target})' for fault in faults)} for {seconds} s")
        with ExitStack() as contexts:
            for fault in faults:
                contexts.enter_context(fault.context(self._deployment))
                self._deployment.history.global_faults += 1
                self.counts[fault.name] += 1
            self._deployment.sleep(seconds)
        self._deployment.sleep(self._random.choice(PAUSES))
        for process in self._deployment.processes:
            assert process.is_running, f"{process.program.name} exited by itself:\n{process.log}"

    @property
    def kills(self) -> int:
        return sum(number for name, number in self.counts.items() if name.startswith("kill"))

    def _next_faults(self) -> list[Fault]:
        faults: list[Fault] = []
        for _ in range(self._random.choice(SIMULTANEOUS)):
            if not self._queue:
                self._queue = all_faults()
                self._random.shuffle(self._queue)
            if all(fault.target != self._queue[-1].target for fault in faults):
                faults.append(self._queue.pop())
        return faults
