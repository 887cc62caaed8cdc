"""Publishing from an event loop, which does not wait for the broker."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import monotonic
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from django.conf import settings

from chat.broker.connections import RETRY_AFTER_FAILURE, UNREACHABLE
from chat.broker.message import QUEUE, new_task_id, serialize_message
from chat.broker.publishing import wake_sessions
from chat.redis_url import is_redis_url
from chat.settings import chat_settings
from chat.store.loop_client import loop_client

logger = logging.getLogger(__name__)


class _Publisher(Protocol):
    def wake_session(self, session_id: str) -> asyncio.Future[bool]:
        """Publish a wake-up; the future returns whether the broker accepted it."""


class _RedisPublisher:
    """Publishes on a connection of the loop: a thread would take 10 % of the CPU of a web process.

    After a failure, it publishes nothing for `RETRY_AFTER_FAILURE` seconds.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._unavailable_until = 0.0

    def wake_session(self, session_id: str) -> asyncio.Future[bool]:
        is_published = self._loop.create_future()
        if monotonic() < self._unavailable_until:
            is_published.set_result(False)
            return is_published
        broker = loop_client().connect(settings.BROKER_URL, timeout=chat_settings.PUBLISH_TIMEOUT)
        message = serialize_message(session_id, new_task_id(session_id))
        replies = broker.send([("LPUSH", QUEUE, message)])
        replies.add_done_callback(partial(self._finish, is_published))
        # Now, not after the response, which takes longer than a worker needs for the wake-up.
        broker.flush()
        return is_published

    def _finish(
        self, is_published: asyncio.Future[bool], replies: asyncio.Future[list[Any]]
    ) -> None:
        error = replies.exception() or replies.result()[0]
        is_error = isinstance(error, Exception)
        if is_error and monotonic() >= self._unavailable_until:
            self._unavailable_until = monotonic() + RETRY_AFTER_FAILURE
            logger.warning(UNREACHABLE, error)
        if not is_published.done():
            is_published.set_result(not is_error)


class _ThreadPublisher:
    """Publishes to other brokers in one thread, because kombu blocks.

    Wake-ups that arrive while others are being published share the next switch of threads.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "publisher")
        # Session ids in the order of arrival.
        self._waiting: dict[str, asyncio.Future[bool]] = {}
        self._is_publishing = False

    def wake_session(self, session_id: str) -> asyncio.Future[bool]:
        loop = asyncio.get_running_loop()
        is_published = self._waiting.setdefault(session_id, loop.create_future())
        if not self._is_publishing:
            self._publish_waiting(loop)
        return is_published

    def _publish_waiting(self, loop: asyncio.AbstractEventLoop) -> None:
        waiting, self._waiting = self._waiting, {}
        self._is_publishing = True
        are_published = loop.run_in_executor(self._thread, wake_sessions, waiting)
        are_published.add_done_callback(partial(self._finish, loop, waiting))

    def _finish(
        self,
        loop: asyncio.AbstractEventLoop,
        waiting: dict[str, asyncio.Future[bool]],
        are_published: asyncio.Future[bool],
    ) -> None:
        self._is_publishing = False
        is_stopped = are_published.cancelled()
        for is_published in waiting.values():
            if not is_published.done():
                is_published.set_result(not is_stopped and are_published.result())
        if self._waiting and not is_stopped:
            self._publish_waiting(loop)


_publishers: WeakKeyDictionary[asyncio.AbstractEventLoop, _Publisher] = WeakKeyDictionary()


def wake_in_background(session_id: str) -> asyncio.Future[bool]:
    """Publish a wake-up from the running event loop.

    The future, which need not be awaited, returns whether the broker accepted it. If the process
    ends before, the sweeper finds the turn.
    """
    loop = asyncio.get_running_loop()
    publisher = _publishers.get(loop)
    if publisher is None:
        is_redis = is_redis_url(settings.BROKER_URL)
        publisher = _publishers[loop] = _RedisPublisher() if is_redis else _ThreadPublisher()
    return publisher.wake_session(session_id)
