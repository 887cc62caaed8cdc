"""Celery tasks. Their names are stable: workers of two versions share one queue in a deploy."""

from celery import Task, shared_task

from chat.dispatch import TAKE_TURN
from chat.services import inference


class Woken(Task[..., None]):
    """A task that a wake-up asks for."""

    Strategy = "chat.worker:strategy"


@shared_task(name=TAKE_TURN, base=Woken)
def take_turn(*, session_id: str, **_: object) -> None:
    """Answer the session's next turn, if there is one to take; a newer web may say more of it."""
    inference.take_turn(session_id)
