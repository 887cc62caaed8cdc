"""Requests of wake-ups in the places where Celery handles them."""

from types import SimpleNamespace
from typing import Any

from celery.worker.consumer.consumer import Consumer
from celery.worker.state import reserved_requests

from chat.worker.task_request import TaskRequest
from chat.worker.tasks import wake_up


def test_request_that_ends_as_the_broker_is_lost_is_harmless() -> None:
    """Its thread removes it from the active requests while Celery iterates the reserved ones."""
    request = TaskRequest(wake_up, None, lambda: None)
    reserved_requests.add(request)
    consumer: Any = SimpleNamespace(controller=None, timer=None, task_buckets={}, pool=None)
    Consumer.on_close(consumer)
    assert request not in reserved_requests
