"""Celery tasks. Their names are stable, because two versions share a queue during a deploy."""

from collections.abc import Coroutine
from typing import Any

from celery import Task, shared_task

from chat.broker import ANSWER_PING, WAKE_UP
from chat.operations import broker_check
from chat.worker import turn_runner


class MinimalTask(Task[..., Coroutine[Any, Any, None]]):
    """A task without revocation, expiry, ETA or result; see `minimal_strategy`."""

    Strategy = "chat.worker.task_request:minimal_strategy"


@shared_task(name=WAKE_UP, base=MinimalTask)
async def wake_up(*, session_id: str, **_: object) -> None:
    """Run the session's next turn, if any. Arguments of a newer version are ignored."""
    await turn_runner.run_next_turn(session_id)


@shared_task(name=ANSWER_PING, base=MinimalTask)
async def answer_ping(*, ping_id: str, **_: object) -> None:
    """Answer a ping of doctor."""
    await broker_check.answer(ping_id, turn_runner.worker_id())
