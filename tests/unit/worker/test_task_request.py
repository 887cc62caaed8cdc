"""Requests in the places where Celery handles them."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from celery.worker.consumer.consumer import Consumer
from celery.worker.state import active_requests, reserved_requests

from chat.worker.task_request import Request, RequestLog
from chat.worker.tasks import wake_up


class Answer:
    """A task."""

    name = "answer"

    async def run(self, *, hold: bool = False) -> None:
        if hold:
            await asyncio.Event().wait()


answer: Any = Answer()


def make_request(**consumer: Any) -> Request:
    request = Request(wake_up, {"session_id": "ses_1"}, SimpleNamespace(**consumer))
    request.register()
    return request


def test_request_that_ends_after_the_broker_was_lost_is_harmless() -> None:
    request = make_request()
    consumer: Any = SimpleNamespace(controller=None, timer=None, task_buckets={}, pool=None)
    Consumer.on_close(consumer)
    assert request in reserved_requests, "it still occupies a slot"
    request.end()
    assert request not in {*reserved_requests, *active_requests}


@pytest.fixture
def scheduled() -> list[Any]:
    return []


@pytest.fixture
def log(scheduled: list[Any]) -> RequestLog:
    started = RequestLog()
    pool = SimpleNamespace(num_processes=1)
    started.use_consumer(SimpleNamespace(call_soon=scheduled.append, pool=pool))
    return started


def test_turns_without_a_broker_leave_nothing_behind(log: RequestLog) -> None:
    """Celery's main thread waits for the broker, and calls nothing."""

    async def run_many() -> None:
        for _ in range(100):
            await log.run_own(answer)

    asyncio.run(run_many())
    assert log._changes == {}


def test_own_turns_occupy_slots_of_celery(log: RequestLog, scheduled: list[Any]) -> None:
    async def check() -> None:
        turn = asyncio.ensure_future(log.run_own(answer, hold=True))
        await asyncio.sleep(0)
        log.apply()
        assert [request.task for request in reserved_requests] == [answer]
        assert scheduled == [], "Celery does not wait for a slot"
        turn.cancel()
        await asyncio.wait([turn])
        scheduled.pop()()
        assert list(reserved_requests) == []

    asyncio.run(check())


def test_inspect_shows_the_session_of_a_turn() -> None:
    request = make_request(hostname="worker@host")
    assert request.info()["kwargs"] == {"session_id": "ses_1"}
    request.end()
