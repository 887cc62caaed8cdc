"""`celery inspect`, with remote control enabled."""

from collections.abc import Callable
from typing import Any

from celery import Celery

from tests.acceptance.deployment import Deployment
from tests.harness.wait import wait_until


def test_inspect_shows_the_turns_in_flight(build_deployment: Callable[..., Deployment]) -> None:
    deployment = build_deployment(worker_remote_control=1, worker_concurrency=3).start()
    celery = Celery(broker=deployment.stack.redis.url, set_as_current=False)
    inspect: Any = celery.control.inspect(timeout=1)
    wait_until(inspect.ping)
    clients = deployment.clients(2)
    posts = [client.post("Tell me [[tokens=60 rate=20]]") for client in clients]
    deployment.wait_for_streams(2)
    [active] = inspect.active().values()
    sessions = {request["kwargs"]["session_id"] for request in active}
    assert sessions == {client.session_id for client in clients}
    [stats] = inspect.stats().values()
    assert stats["pool"]["max-concurrency"] == 3
    assert stats["pool"]["turns"] == 2
    for client, post in zip(clients, posts, strict=True):
        client.wait_for_reply(post, "completed")
    wait_until(lambda: list(inspect.active().values()) == [[]])
    # Keys of remote control have no TTL, and the tests allow none.
    deployment.redis.delete(*deployment.redis.keys("_kombu.binding[_.]*[dx]*"))
