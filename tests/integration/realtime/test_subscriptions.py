"""One connection and one reader serve all subscribers of a process; a failure costs a second."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from pytest_django import Settings
from redis import Redis
from redis.asyncio.connection import Connection

from chat.callbacks import noop
from chat.conversation import sessions, tokens, turns
from chat.domain import Caller, EventBatch, Gap
from chat.domain.errors import (
    InvalidToken,
    ParleyError,
    RateLimited,
    SessionNotFound,
    SlowConsumer,
    StoreUnavailable,
)
from chat.realtime import long_poll, session_events
from chat.settings import chat_settings
from chat.store import keys, pubsub, subscriptions
from chat.store.client import client
from chat.store.events import Position, read_logs
from chat.store.pubsub import PubSubConnection
from chat.store.subscriber import Subscriber
from chat.store.subscriptions import POLL_INTERVAL, SubscriptionHub
from tests.harness.proxy import Proxy
from tests.harness.redis_cluster import needs_one_server, require_one_server, subscribed_channels
from tests.harness.stack import Stack
from tests.harness.wait import wait_until
from tests.integration.api.fake_worker import append_text, claim_turn

TIMEOUT = 10.0


@asynccontextmanager
async def open_hub() -> AsyncIterator[SubscriptionHub]:
    hub = SubscriptionHub()
    try:
        yield hub
    finally:
        hub.close()
        await asyncio.sleep(0)


def run(test: Callable[[SubscriptionHub], Coroutine[Any, Any, None]]) -> None:
    async def within() -> None:
        async with asyncio.timeout(60), open_hub() as hub:
            await test(hub)

    asyncio.run(within())


@contextmanager
def subscribed(
    hub: SubscriptionHub, caller: Caller, after: int = 0, on_overflow: Callable[[], None] = noop
) -> Iterator[Subscriber]:
    subscriber = hub.subscribe(caller, after=after, on_overflow=on_overflow)
    try:
        yield subscriber
    finally:
        hub.unsubscribe(subscriber)


async def eventually(predicate: Callable[[], object]) -> None:
    await asyncio.to_thread(wait_until, predicate)


@dataclass
class Threaded:
    """A replacement of a store call, which runs in a thread."""

    function: Callable[..., object]

    async def on_loop(self, *args: object) -> object:
        return await asyncio.to_thread(self.function, *args)


def open_session() -> Caller:
    return tokens.caller_from_token(sessions.open_session()[0])


def post(caller: Caller, content: str = "hello") -> None:
    turns.submit(caller=caller, content=content)


async def seqs(subscriber: Subscriber, last: int) -> list[int]:
    """Return the seqs of all events up to `last`."""
    received: list[int] = []
    while not received or received[-1] < last:
        batch = await subscriber.next(TIMEOUT)
        assert batch, "nothing came"
        received += range(batch.first_seq, batch.last_seq + 1)
    return received


def test_subscriber_gets_logged_and_new_events(redis: Redis) -> None:
    caller = open_session()
    post(caller)

    async def test(hub: SubscriptionHub) -> None:
        with subscribed(hub, caller) as subscriber:
            assert await seqs(subscriber, 1) == [1]
            post(caller)
            assert await seqs(subscriber, 2) == [2]
            assert await subscriber.next(0.05) is None

    run(test)
    assert not subscribed_channels(redis)


def test_subscribers_at_one_position_share_bytes() -> None:
    caller = open_session()
    post(caller)

    async def test(hub: SubscriptionHub) -> None:
        with subscribed(hub, caller) as one, subscribed(hub, caller) as two:
            first, second = await asyncio.gather(one.next(TIMEOUT), two.next(TIMEOUT))
            assert first
            assert first is second

    run(test)


def test_late_subscriber_reads_from_its_own_cursor() -> None:
    caller = open_session()
    for number in range(10):
        post(caller, str(number))

    async def test(hub: SubscriptionHub) -> None:
        with subscribed(hub, caller, after=9) as early, subscribed(hub, caller, after=3) as late:
            assert await seqs(early, 10) == [10]
            assert await seqs(late, 10) == [4, 5, 6, 7, 8, 9, 10]
            post(caller)
            assert await seqs(early, 11) == [11]
            assert await seqs(late, 11) == [11]

    run(test)


@needs_one_server
@pytest.mark.thorough
def test_thousand_sessions_share_one_connection(redis: Redis) -> None:
    callers = [open_session() for _ in range(1000)]

    async def test(hub: SubscriptionHub) -> None:
        async def follow(caller: Caller) -> list[int]:
            with subscribed(hub, caller) as subscriber:
                return await seqs(subscriber, 1)

        followed = asyncio.gather(*map(follow, callers))
        await eventually(lambda: len(subscribed_channels(redis)) == 1000)
        assert len(redis.client_list(_type="pubsub")) == 1
        for caller in callers:
            await asyncio.to_thread(post, caller)
        assert await followed == [[1]] * 1000
        await eventually(lambda: not subscribed_channels(redis))

    run(test)


def test_subscribing_and_leaving_leaves_no_channels(redis: Redis) -> None:
    callers = [open_session(), open_session()]

    async def test(hub: SubscriptionHub) -> None:
        async def visit(number: int) -> None:
            with subscribed(hub, callers[number % 2]) as subscriber:
                await subscriber.next(number % 7 / 1000)

        for _ in range(5):
            await asyncio.gather(*map(visit, range(2 * chat_settings.MAX_SUBSCRIBERS)))
        with subscribed(hub, callers[0]) as subscriber:
            await eventually(lambda: len(subscribed_channels(redis)) == 1)
            post(callers[0])
            assert await seqs(subscriber, 1) == [1]
        await eventually(lambda: not subscribed_channels(redis))

    run(test)


def test_subscribers_per_session_are_limited() -> None:
    caller, other = open_session(), open_session()

    async def test(hub: SubscriptionHub) -> None:
        subscribers = [
            hub.subscribe(caller, after=0, on_overflow=noop)
            for _ in range(chat_settings.MAX_SUBSCRIBERS)
        ]
        with pytest.raises(RateLimited):
            hub.subscribe(caller, after=0, on_overflow=noop)
        hub.unsubscribe(hub.subscribe(other, after=0, on_overflow=noop))
        hub.unsubscribe(subscribers.pop())
        subscribers.append(hub.subscribe(caller, after=0, on_overflow=noop))
        for subscriber in subscribers:
            hub.unsubscribe(subscriber)

    run(test)


def test_bad_token_closes_only_its_own_subscriber() -> None:
    caller = open_session()
    thief = Caller(session_id=caller.session_id, credential="0" * 64)

    async def test(hub: SubscriptionHub) -> None:
        with subscribed(hub, caller) as subscriber, subscribed(hub, thief) as stranger:
            post(caller)
            with pytest.raises(SessionNotFound):
                await stranger.next(TIMEOUT)
            assert not stranger.was_authorized
            assert await seqs(subscriber, 1) == [1]

    run(test)


def test_events_published_in_full_need_no_read(monkeypatch: pytest.MonkeyPatch) -> None:
    caller = open_session()
    read: list[Sequence[Position]] = []

    def record(positions: Sequence[Position]) -> list[EventBatch | ParleyError]:
        read.append(positions)
        return read_logs(positions)

    async def test(hub: SubscriptionHub) -> None:
        with subscribed(hub, caller) as subscriber:
            assert await subscriber.next(0.2) is None
            monkeypatch.setattr(subscriptions, "POLL_INTERVAL", TIMEOUT)
            await asyncio.sleep(POLL_INTERVAL)  # until the last poll
            monkeypatch.setattr(subscriptions, "read_logs", Threaded(record))
            await asyncio.to_thread(post, caller)
            claim = await asyncio.to_thread(claim_turn, caller.session_id)
            await asyncio.to_thread(append_text, claim, "x" * 1000)
            assert await seqs(subscriber, 3) == [1, 2, 3]
            assert not read
            await asyncio.to_thread(append_text, claim, "x" * 10_000, after="x" * 1000)
            assert await seqs(subscriber, 4) == [4]
            assert read

    run(test)


@needs_one_server
@pytest.mark.fault("F37")
def test_idle_subscriber_costs_no_read(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the connection is healthy."""
    caller = open_session()
    read: list[Sequence[Position]] = []

    def record(positions: Sequence[Position]) -> list[EventBatch | ParleyError]:
        read.append(positions)
        return read_logs(positions)

    async def test(hub: SubscriptionHub) -> None:
        # Another process on a busy machine must not count as silence.
        monkeypatch.setattr(pubsub, "MAX_SILENCE", TIMEOUT)
        with subscribed(hub, caller) as subscriber:
            await subscriber.next(2 * POLL_INTERVAL)
            monkeypatch.setattr(subscriptions, "read_logs", Threaded(record))
            assert await subscriber.next(3 * POLL_INTERVAL) is None
            assert not read
            before = command_counts(redis)
            monkeypatch.setattr(subscriptions, "CHECK_INTERVAL", POLL_INTERVAL)
            assert await subscriber.next(5 * POLL_INTERVAL) is None
            assert command_counts(redis)["hmget"] > before["hmget"]
            assert not read
            # Another primary has an event that was not published.
            await asyncio.to_thread(redis.hincrby, subscriber.keys.session, "seq", 1)
            assert await subscriber.next(TIMEOUT)
            assert read

    run(test)


def command_counts(redis: Any) -> dict[str, int]:
    """Return how often Redis has executed each command."""
    stats = redis.info("commandstats")
    return {name.removeprefix("cmdstat_"): each["calls"] for name, each in stats.items()}


@pytest.mark.parametrize(
    ("lose", "last_event"), [("expire", "session.expired"), ("flush", "session.deleted")]
)
@pytest.mark.security("S05")
def test_end_without_a_message_is_noticed(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, lose: str, last_event: str
) -> None:
    """Without workers, nothing says that a session has expired."""
    ttl = 2 if lose == "expire" else 60
    caller = tokens.caller_from_token(sessions.open_session(ttl=ttl)[0])

    async def test(hub: SubscriptionHub) -> None:
        monkeypatch.setattr(session_events, "hub", lambda: hub)
        monkeypatch.setattr(subscriptions, "CHECK_INTERVAL", POLL_INTERVAL)
        with session_events.subscribe(caller, after=0) as subscriber:
            received = session_events.events(subscriber, after=0, heartbeat_interval=0.1)
            assert await anext(received) is None
            if lose == "flush":
                await asyncio.to_thread(redis.flushall)
            batch = None
            while batch is None:
                batch = await anext(received)
        assert isinstance(batch, EventBatch)
        assert last_event.encode() in batch.events[0]

    run(test)


@needs_one_server
def test_message_that_skips_events_causes_a_read(redis: Redis) -> None:
    caller = open_session()

    async def test(hub: SubscriptionHub) -> None:
        with subscribed(hub, caller) as subscriber:
            assert await subscriber.next(0.2) is None
            # An event with a gap before it: it must not be taken for the next one.
            (channel,) = subscribed_channels(redis)
            redis.publish(channel, b'EVENTS 7 7\n{"type":"message.queued","seq":7}')
            assert await subscriber.next(0.2) is None
            await asyncio.to_thread(post, caller)
            assert await seqs(subscriber, 1) == [1]

    run(test)


@pytest.mark.security("S05")
def test_old_token_gets_no_event_after_rotation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not even one that is published in full before the read that rejects the token ends."""
    caller = open_session()

    def read_slowly(positions: Sequence[Position]) -> list[EventBatch | ParleyError]:
        time.sleep(0.5)
        return read_logs(positions)

    async def test(hub: SubscriptionHub) -> None:
        with subscribed(hub, caller) as subscriber:
            assert await subscriber.next(0.2) is None
            monkeypatch.setattr(subscriptions, "read_logs", Threaded(read_slowly))
            token, _ = await asyncio.to_thread(sessions.rotate_token, caller)
            await asyncio.to_thread(post, tokens.caller_from_token(token))
            with pytest.raises(SessionNotFound):
                await subscriber.next(TIMEOUT)

    run(test)


@pytest.mark.security("S05")
def test_token_of_deleted_session_gets_nothing_of_successor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not even if that has reached the same seq before the read ends."""
    caller = tokens.caller_from_token(sessions.open_session(name="one", key="a key")[0])
    post(caller)

    def read_slowly(positions: Sequence[Position]) -> list[EventBatch | ParleyError]:
        time.sleep(0.5)
        return read_logs(positions)

    def replace_session() -> None:
        sessions.delete(caller)
        other = tokens.caller_from_token(sessions.open_session(name="another", key="a key")[0])
        assert other.session_id == caller.session_id
        for _ in range(2):
            post(other)

    async def test(hub: SubscriptionHub) -> None:
        with subscribed(hub, caller) as subscriber:
            assert await seqs(subscriber, 1) == [1]
            monkeypatch.setattr(subscriptions, "read_logs", Threaded(read_slowly))
            await asyncio.to_thread(replace_session)
            with pytest.raises(SessionNotFound):
                await subscriber.next(TIMEOUT)

    run(test)


@pytest.mark.security("S05")
def test_token_of_session_deleted_before_subscribe_gets_nothing(
    monkeypatch: pytest.MonkeyPatch, redis: Redis
) -> None:
    caller = tokens.caller_from_token(sessions.open_session(name="one", key="another key")[0])
    post(caller)

    async def send_late(
        _: PubSubConnection, connection: Connection, command: str, *channels: bytes
    ) -> None:
        await asyncio.sleep(0.3)
        await connection.send_command(command, *channels)

    def read_slowly(positions: Sequence[Position]) -> list[EventBatch | ParleyError]:
        time.sleep(0.5)
        return read_logs(positions)

    def replace_session() -> Caller:
        sessions.delete(caller)
        other = tokens.caller_from_token(
            sessions.open_session(name="another", key="another key")[0]
        )
        post(other)
        return other

    async def test(hub: SubscriptionHub) -> None:
        with subscribed(hub, caller) as subscriber:
            assert await seqs(subscriber, 1) == [1]
            monkeypatch.setattr(subscriptions, "read_logs", Threaded(read_slowly))
            other = await asyncio.to_thread(replace_session)
            await eventually(lambda: subscribed_channels(redis))
            await asyncio.to_thread(post, other)
            with pytest.raises(SessionNotFound):
                await subscriber.next(TIMEOUT)

    monkeypatch.setattr(PubSubConnection, "_send", send_late)
    run(test)


def test_slow_subscriber_is_disconnected_others_continue(settings: Settings) -> None:
    settings.CHAT_MAX_BUFFERED_BYTES = 10_000
    caller = open_session()
    overflows = []

    async def test(hub: SubscriptionHub) -> None:
        post(caller)
        claim = claim_turn(caller.session_id)
        with (
            subscribed(hub, caller, on_overflow=lambda: overflows.append("slow")) as slow,
            subscribed(hub, caller, on_overflow=lambda: overflows.append("quick")) as quick,
        ):
            assert await seqs(quick, 2) == [1, 2]
            assert await seqs(slow, 2) == [1, 2]
            for number in range(20):
                await asyncio.to_thread(append_text, claim, "x" * 1000, after="x" * 1000 * number)
                assert await seqs(quick, number + 3) == [number + 3]
            with pytest.raises(SlowConsumer):
                await slow.next(TIMEOUT)
            assert overflows == ["slow"]

    run(test)


def test_blocked_send_is_disconnected_after_session_end(settings: Settings) -> None:
    settings.CHAT_WRITE_TIMEOUT = 1.0
    caller = open_session()
    overflows = []

    async def test(hub: SubscriptionHub) -> None:
        post(caller)
        with subscribed(hub, caller, on_overflow=lambda: overflows.append(1)) as subscriber:
            assert await seqs(subscriber, 1) == [1]
            await asyncio.to_thread(sessions.delete, caller)
            await eventually(lambda: overflows)
            await asyncio.sleep(2 * POLL_INTERVAL)
            assert overflows == [1]

    run(test)


def test_subscriber_far_behind_reads_at_its_own_pace(settings: Settings) -> None:
    """A client that resumes must not be disconnected because of what it has missed."""
    settings.CHAT_MAX_BUFFERED_BYTES = 10_000
    caller = open_session()
    post(caller)
    claim = claim_turn(caller.session_id)
    for number in range(40):
        append_text(claim, "x" * 10_000, after="x" * 10_000 * number)

    async def test(hub: SubscriptionHub) -> None:
        with subscribed(hub, caller) as subscriber:
            assert await seqs(subscriber, 42) == list(range(1, 43))

    run(test)


@needs_one_server
@pytest.mark.parametrize("break_connection", [Proxy.disconnect, Proxy.half_open])
def test_lost_connection_is_replaced(
    parley: Stack, settings: Settings, redis: Redis, break_connection: Callable[[Proxy], object]
) -> None:
    """Events during the outage arrive within a second, even if no error is reported."""
    with Proxy(parley.redis.url) as proxy:
        settings.REDIS_URL = proxy.url
        caller = open_session()

        async def test(hub: SubscriptionHub) -> None:
            loop = asyncio.get_running_loop()
            with subscribed(hub, caller) as subscriber:
                await eventually(lambda: subscribed_channels(redis))
                break_connection(proxy)
                client.cache_clear()
                started = loop.time()
                await asyncio.to_thread(post, caller)
                assert await seqs(subscriber, 1) == [1]
                assert loop.time() - started < 1 + chat_settings.STORE_TIMEOUT + 2

                def is_subscribed() -> bool:
                    return bool(redis.publish(next(iter(subscribed_channels(redis)), b"-"), "1"))

                await eventually(is_subscribed)

        run(test)


@needs_one_server
def test_lost_message_costs_a_second_despite_other_reads(
    parley: Stack, settings: Settings, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pubsub, "READ_TIMEOUT", 6 * TIMEOUT)
    caller = open_session()
    post(caller)

    async def resubscribe(hub: SubscriptionHub) -> None:
        while True:
            with subscribed(hub, caller) as other:
                await other.next(TIMEOUT)
            await asyncio.sleep(0)

    async def test(hub: SubscriptionHub) -> None:
        settings.REDIS_URL = parley.redis.url
        with subscribed(hub, caller, after=1) as subscriber:
            assert await subscriber.next(0.2) is None
            await eventually(lambda: subscribed_channels(redis))
            proxy.half_open()
            others = asyncio.create_task(resubscribe(hub))
            await asyncio.to_thread(post, caller)
            assert await seqs(subscriber, 2) == [2]
            others.cancel()

    with Proxy(parley.redis.url) as proxy:
        settings.REDIS_URL = proxy.url
        run(test)


def test_session_end_follows_buffered_events() -> None:
    caller = open_session()

    async def test(hub: SubscriptionHub) -> None:
        with subscribed(hub, caller) as subscriber:
            events = session_events.events(subscriber, after=0)
            await asyncio.to_thread(post, caller)
            assert isinstance(await anext(events), EventBatch)
            await asyncio.to_thread(post, caller)
            await eventually(lambda: subscriber.cursor == 2)
            await asyncio.to_thread(sessions.delete, caller)
            await eventually(lambda: subscriber.is_closed)
            batches: list[EventBatch] = []
            with pytest.raises(SessionNotFound):
                await collect(events, batches)
            assert [each.first_seq for each in batches] == [2, 3]
            assert b"session.deleted" in batches[-1].events[0]

    run(test)


def saved_state(redis: Redis, caller: Caller) -> Callable[[], None]:
    """Return a function that restores the present state of the session, without messages."""
    require_one_server()
    own = keys.for_session(caller.session_id)
    before = {name: value for name in own if (value := redis.dump(name))}
    assert {own.session, own.log} <= before.keys()

    def restore() -> None:
        redis.client_kill_filter(_type="pubsub")
        for name, value in before.items():
            redis.restore(name, max(redis.pttl(name), 0), value, replace=True)

    return restore


def fail_read(_: Sequence[Position]) -> list[EventBatch | ParleyError]:
    raise StoreUnavailable


async def fail_send(*_: object) -> None:
    raise ConnectionResetError


@pytest.mark.fault("F18")
@pytest.mark.parametrize("is_idle", [True, False])
@pytest.mark.parametrize("posts", [0, 1, 2, 3])
def test_redis_rollback_is_detected_at_any_seq(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, posts: int, *, is_idle: bool
) -> None:
    """By a subscriber that got the lost event, and by one that subscribed after it."""
    caller = open_session()
    post(caller)
    restore = saved_state(redis, caller)

    def diverge() -> None:
        restore()
        for number in range(posts):
            post(caller, f"another {number}")
        assert not subscribed_channels(redis)

    async def test(hub: SubscriptionHub) -> None:
        if is_idle:
            post(caller, "lost")
        with subscribed(hub, caller, after=2 if is_idle else 0) as subscriber:
            events = session_events.events(subscriber, after=subscriber.cursor)
            if not is_idle:
                assert await next_span(events) == (1, 1)
                await eventually(lambda: subscribed_channels(redis))
                await asyncio.to_thread(post, caller, "lost")
                assert await next_span(events) == (2, 2)
            await eventually(lambda: subscriber.last_event_time and subscribed_channels(redis))
            with monkeypatch.context() as patch:
                patch.setattr(subscriptions, "read_logs", Threaded(fail_read))
                patch.setattr(PubSubConnection, "_send", fail_send)
                await asyncio.to_thread(diverge)
            gap = await anext(events)
            assert isinstance(gap, Gap)
            assert (gap.requested, gap.earliest, gap.snapshot.seq) == (2, 1, 1 + posts)
            await asyncio.to_thread(post, caller)
            assert await next_span(events) == (2 + posts, 2 + posts)

    run(test)


@pytest.mark.fault("F18")
def test_long_poll_during_rollback_gets_everything(redis: Redis) -> None:
    """Although the session has reached the known seq again."""
    caller = open_session()
    post(caller)
    restore = saved_state(redis, caller)
    post(caller, "lost")

    async def test(_: SubscriptionHub) -> None:
        polled = long_poll.wait_for_change(caller, after=2, known=-1, limit=50, wait=20)
        waiting = asyncio.create_task(polled)
        try:
            channels = subscriptions.hub()._channels
            await eventually(
                lambda: [
                    each
                    for c in channels.values()
                    for each in c.subscribers
                    if each.last_event_time
                ]
            )
            restore()
            post(caller, "another")
            session = await waiting
        finally:
            session_events.close_all()
        assert session is not None
        assert (session.seq, len(session.messages)) == (2, 4)

    run(test)


async def next_span(events: AsyncIterator[EventBatch | Gap | None]) -> tuple[int, int]:
    """Return the first and last seq of the next batch."""
    batch = await anext(events)
    assert isinstance(batch, EventBatch)
    return batch.first_seq, batch.last_seq


@pytest.mark.security("S05")
def test_rotated_token_before_a_gap_is_reported() -> None:
    """Otherwise the client would consider the session deleted, and not reconnect."""
    caller = open_session()
    post(caller)

    async def test(hub: SubscriptionHub) -> None:
        with subscribed(hub, caller, after=7) as subscriber:
            await eventually(lambda: subscriber.cursor == 1)  # its buffer does not continue at 7
            await asyncio.to_thread(sessions.rotate_token, caller)
            with pytest.raises(InvalidToken):
                await anext(session_events.events(subscriber, after=7))

    run(test)


async def collect(
    events: AsyncIterator[EventBatch | Gap | None], batches: list[EventBatch]
) -> None:
    """Collect batches until the session is gone."""
    async for batch in events:
        assert isinstance(batch, EventBatch)
        batches.append(batch)


@needs_one_server
def test_subscribers_survive_a_redis_outage(parley: Stack, settings: Settings) -> None:
    caller = open_session()
    with Proxy(parley.redis.url) as proxy:
        settings.REDIS_URL = proxy.url
        client.cache_clear()

        async def test(hub: SubscriptionHub) -> None:
            with subscribed(hub, caller) as subscriber:
                assert await subscriber.next(0.2) is None
                proxy.refuse_connections()
                assert await subscriber.next(1.5) is None
                proxy.accept_connections()
                await asyncio.to_thread(post, caller)
                assert await seqs(subscriber, 1) == [1]

        run(test)
    client.cache_clear()


def test_closed_hub_finishes_all_subscribers(redis: Redis) -> None:
    caller = open_session()

    async def test(hub: SubscriptionHub) -> None:
        with subscribed(hub, caller) as subscriber:
            asyncio.get_running_loop().call_later(0.1, hub.close)
            assert await subscriber.next(TIMEOUT) is None
            assert subscriber.is_finished
        with subscribed(hub, caller) as late:
            assert late.is_finished
        await eventually(lambda: not subscribed_channels(redis))

    run(test)
