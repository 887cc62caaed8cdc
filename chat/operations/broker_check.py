"""Doctor's check of the broker: a ping goes through the queue of wake-ups to a worker."""

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

# Seconds that a ping may take.
PING_TIMEOUT = 5.0
# Seconds between checks for an answer.
POLL_INTERVAL = 0.02
CHECK_BROKER = "check BROKER_URL and the permissions of its user; until then, turns start late"


async def answer(ping_id: str, worker: str) -> None:
    """Answer a ping: called by the worker that has received it."""
    try:
        await workers.answer_ping.on_loop(ping_id, worker)
    except StoreUnavailable as error:
        logger.warning("Could not answer a ping of doctor: %s", error.__cause__)


def check_broker(alive: Sequence[WorkerInfo]) -> Iterator[CheckResult]:
    """Check the queue, then send a ping through it if a worker is alive."""
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
        yield _ping_workers(alive) if alive else _ping_broker()
    except BrokerUnavailable as error:
        yield _broker_error("the broker rejects a ping", error)


def _broker_error(message: str, error: BrokerUnavailable) -> CheckResult:
    return CheckResult(Level.ERROR, f"{message}: {error.__cause__}", CHECK_BROKER)


def _ping_workers(alive: Sequence[WorkerInfo]) -> CheckResult:
    ping_id, started = random_id(), time.monotonic()
    broker.publish_ping(ping_id)
    try:
        worker = _wait_for_answer(ping_id, give_up_at=started + PING_TIMEOUT)
    except StoreUnavailable as error:
        message = f"the answer to a ping cannot be read: {error.__cause__}"
        return CheckResult(Level.ERROR, message, "check REDIS_URL")
    if worker:
        elapsed = 1000 * (time.monotonic() - started)
        return CheckResult(Level.OK, f"{worker} answered a ping in {elapsed:.0f} ms")
    return _no_answer(alive)


def _wait_for_answer(ping_id: str, *, give_up_at: float) -> str | None:
    while (worker := workers.read_answer(ping_id)) is None and time.monotonic() < give_up_at:
        time.sleep(POLL_INTERVAL)
    return worker


def _no_answer(alive: Sequence[WorkerInfo]) -> CheckResult:
    message = f"the broker accepted a ping, but no worker answered within {PING_TIMEOUT:g} s"
    running = sum(worker.running_turns for worker in alive)
    if running >= len(alive) * chat_settings.WORKER_CONCURRENCY:
        hint = "all workers are busy: start more"
        return CheckResult(Level.WARNING, message, hint)
    hint = "read the workers' logs; they need the same BROKER_URL and REDIS_URL as doctor"
    return CheckResult(Level.ERROR, message, hint)


def _ping_broker() -> CheckResult:
    """Check the broker without a worker. Doctor itself consumes no wake-ups."""
    if broker.send_and_receive(within=PING_TIMEOUT):
        message = "no worker is alive; the broker returned a ping from a temporary queue"
        return CheckResult(Level.OK, message)
    message = f"the broker accepted a ping, but did not return it within {PING_TIMEOUT:g} s"
    return CheckResult(Level.ERROR, message, "read the broker's log")
