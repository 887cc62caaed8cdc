"""Celery tasks. Their names are stable: workers of two versions share one queue in a deploy."""

from celery import Task, shared_task

from chat.broker import TAKE_TURN
from chat.worker import turn_runner


class WakeUpTask(Task[..., None]):
    """A task that a wake-up asks for."""

    Strategy = "chat.worker.bootstep:strategy"


@shared_task(name=TAKE_TURN, base=WakeUpTask)
def take_turn(*, session_id: str, **_: object) -> None:
    """Answer the session's next turn, if there is one to take; a newer web may say more of it."""
    turn_runner.run_next_turn(session_id)
