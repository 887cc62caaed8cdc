"""Celery tasks. Their names are stable: workers of two versions share one queue in a deploy."""

from celery import Task, shared_task

from chat.broker import TAKE_TURN
from chat.worker import turn_runner


class Woken(Task[..., None]):
    """A task that a wake-up asks for."""

    Strategy = "chat.worker.bootstep:strategy"


@shared_task(name=TAKE_TURN, base=Woken)
def take_turn(*, session_id: str, **_: object) -> None:
    """Answer the session's next turn, if there is one to take; a newer web may say more of it."""
    turn_runner.take_turn(session_id)
