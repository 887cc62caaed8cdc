"""Publishing from an event loop."""

import asyncio

import uvloop
from pytest_django import Settings
from redis import Redis

from chat.broker import QUEUE
from chat.conversation import turns
from chat.store.loop_client import close_loop_client
from tests.harness.wait import wait_until
from tests.integration.store import steps
from tests.integration.store.redis_server import RedisServer


def test_wake_up_is_sent_before_the_response_is_built(
    server: RedisServer, redis: Redis, settings: Settings
) -> None:
    settings.BROKER_URL = server.url
    caller = steps.create_session()

    async def work() -> None:
        for number in (1, 2):  # the first one opens the connection
            await turns.submit.on_loop(caller=caller, content="Hello.")
            if number == 1:
                await asyncio.sleep(0.1)
                redis.delete(QUEUE)
                steps.answer_next_turn(caller)
        # The loop is blocked now: what it has not sent never arrives.
        wait_until(lambda: redis.llen(QUEUE) == 1, within=5)
        await close_loop_client()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # as in a web process
        runner.run(work())
    redis.delete(QUEUE)
