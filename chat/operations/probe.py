"""Doctor's check of the broker: a probe goes through the queue of wake-ups to a worker."""

import logging
import time
from collections.abc import Iterator, Sequence

from chat import broker
from chat.domain.errors import BrokerUnavailable, ConfigError, StoreUnavailable
from chat.domain.ids import random_id
from chat.operations.checks import CheckResult, Level
from chat.settings import chat_settings
from chat.store import workers
from chat.store.workers import WorkerInfo

logger = logging.getLogger(__name__)

# Seconds that a probe may take.
PROBE_TIMEOUT = 5.0
# Seconds between checks for an answer.
POLL_INTERVAL = 0.02
CHECK_BROKER = "check BROKER_URL and the permissions of its user; until then, turns start late"


async def answer(probe_id: str, worker: str) -> None:
    """Answer a probe: called by the worker that has received it."""
    try:
        await workers.answer_probe.on_loop(probe_id, worker)
    except StoreUnavailable as error:
        logger.warning("Could not answer a probe of doctor: %s", error.__cause__)


def check_broker(alive: Sequence[WorkerInfo]) -> Iterator[CheckResult]:
    """Check the queue, then pass a probe through it if a worker is alive."""
    try:
        broker.check_queue()
    except BrokerUnavailable as error:
        yield _broker_error("the broker cannot be reached", error)
        return
    except ConfigError as error:
        yield CheckResult(Level.ERROR, error.message, "until then, no worker can start")
        return
    yield CheckResult(Level.OK, f"the broker holds {broker.queue_length()} wake-ups")
    try:
        yield _probe_workers(alive) if alive else _probe_broker()
    except BrokerUnavailable as error:
        yield _broker_error("the broker rejects a probe", error)


def _broker_error(message: str, error: BrokerUnavailable) -> CheckResult:
    return CheckResult(Level.ERROR, f"{message}: {error.__cause__}", CHECK_BROKER)


def _probe_workers(alive: Sequence[WorkerInfo]) -> CheckResult:
    probe_id, started = random_id(), time.monotonic()
    broker.publish_probe(probe_id)
    try:
        worker = _wait_for_answer(probe_id, give_up_at=started + PROBE_TIMEOUT)
    except StoreUnavailable as error:
        message = f"the answer to a probe cannot be read: {error.__cause__}"
        return CheckResult(Level.ERROR, message, "check REDIS_URL")
    if worker:
        elapsed = 1000 * (time.monotonic() - started)
        return CheckResult(Level.OK, f"{worker} answered a probe in {elapsed:.0f} ms")
    return _no_answer(alive)


def _wait_for_answer(probe_id: str, *, give_up_at: float) -> str | None:
    while (worker := workers.read_answer(probe_id)) is None and time.monotonic() < give_up_at:
        time.sleep(POLL_INTERVAL)
    return worker


def _no_answer(alive: Sequence[WorkerInfo]) -> CheckResult:
    message = f"the broker accepted a probe, but no worker answered within {PROBE_TIMEOUT:g} s"
    running = sum(worker.running_turns for worker in alive)
    if running >= len(alive) * chat_settings.WORKER_CONCURRENCY:
        hint = "all workers are busy: start more"
        return CheckResult(Level.WARNING, message, hint)
    hint = "read the workers' logs; they need the same BROKER_URL and REDIS_URL as doctor"
    return CheckResult(Level.ERROR, message, hint)


def _probe_broker() -> CheckResult:
    """Check the broker alone. Doctor consumes nothing from the queue of wake-ups itself."""
    if broker.send_and_receive(within=PROBE_TIMEOUT):
        message = "no worker is alive; the broker returned a probe from a temporary queue"
        return CheckResult(Level.OK, message)
    message = f"the broker accepted a probe, but did not return it within {PROBE_TIMEOUT:g} s"
    return CheckResult(Level.ERROR, message, "read the broker's log")
