"""What a worker makes of wake-ups, where Celery looks at them."""

from types import SimpleNamespace
from typing import Any

from celery.worker.consumer.consumer import Consumer
from celery.worker.state import reserved_requests

from chat.worker.bootstep import WakeUp
from chat.worker.tasks import take_turn


def test_a_wake_up_that_ends_while_the_broker_is_lost_does_not_end_the_worker() -> None:
    """Its thread takes it out of what is active while Celery goes through what is reserved."""
    wake_up = WakeUp(take_turn, None, lambda: None)
    reserved_requests.add(wake_up)
    consumer: Any = SimpleNamespace(controller=None, timer=None, task_buckets={}, pool=None)
    Consumer.on_close(consumer)
    assert wake_up not in reserved_requests
