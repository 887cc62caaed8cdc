"""One link and one reader serve all followers of a process; whatever breaks costs a second."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
from pytest_django import Settings
from redis import Redis
from redis.asyncio.connection import Connection

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
from chat.realtime import session_events
from chat.settings import chat_settings
from chat.store import keys, pubsub, subscriptions
from chat.store.client import client
from chat.store.events import Position, read_logs
from chat.store.subscriber import Subscriber, noop
from chat.store.subscriptions import POLL_INTERVAL, SubscriptionHub
from tests.harness.proxy import Proxy
from tests.harness.stack import Stack
from tests.harness.waiting import wait_until
from tests.integration.api.turns import say, take

PATIENCE = 10.0
"""Seconds."""


@asynccontextmanager
async def linked() -> AsyncIterator[SubscriptionHub]:
    hub = SubscriptionHub()
    try:
        yield hub
    finally:
        hub.close()
        await asyncio.sleep(0)


def run(test: Callable[[SubscriptionHub], Coroutine[Any, Any, None]]) -> None:
    async def within() -> None:
        async with asyncio.timeout(60), linked() as hub:
            await test(hub)

    asyncio.run(within())


@contextmanager
def following(
    hub: SubscriptionHub, caller: Caller, after: int = 0, cut: Callable[[], None] = noop
) -> Iterator[Subscriber]:
    follower = hub.subscribe(caller, after=after, on_overflow=cut)
    try:
        yield follower
    finally:
        hub.unsubscribe(follower)


async def eventually(predicate: Callable[[], object]) -> None:
    await asyncio.to_thread(wait_until, predicate)


def open_session() -> Caller:
    return tokens.caller_from_token(sessions.open_session()[0])


def post(caller: Caller, content: str = "hello") -> None:
    turns.submit(caller=caller, content=content)


async def seqs(follower: Subscriber, last: int) -> list[int]:
    """The numbers of the events up to one."""
    found: list[int] = []
    while not found or found[-1] < last:
        stretch = await follower.next(PATIENCE)
        assert stretch, "nothing came"
        found += range(stretch.first_seq, stretch.last_seq + 1)
    return found


def test_a_follower_gets_what_is_kept_and_what_comes(redis: Redis) -> None:
    caller = open_session()
    post(caller)

    async def test(hub: SubscriptionHub) -> None:
        with following(hub, caller) as follower:
            assert await seqs(follower, 1) == [1]
            post(caller)
            assert await seqs(follower, 2) == [2]
            assert await follower.next(0.05) is None

    run(test)
    assert not redis.pubsub_channels()


def test_followers_at_one_place_share_the_bytes() -> None:
    caller = open_session()
    post(caller)

    async def test(hub: SubscriptionHub) -> None:
        with following(hub, caller) as one, following(hub, caller) as two:
            first, second = await asyncio.gather(one.next(PATIENCE), two.next(PATIENCE))
            assert first
            assert first is second

    run(test)


def test_one_who_is_late_reads_from_his_own_place() -> None:
    caller = open_session()
    for number in range(10):
        post(caller, str(number))

    async def test(hub: SubscriptionHub) -> None:
        with following(hub, caller, after=9) as early, following(hub, caller, after=3) as late:
            assert await seqs(early, 10) == [10]
            assert await seqs(late, 10) == [4, 5, 6, 7, 8, 9, 10]
            post(caller)
            assert await seqs(early, 11) == [11]
            assert await seqs(late, 11) == [11]

    run(test)


def test_a_thousand_sessions_share_one_link(redis: Redis) -> None:
    callers = [open_session() for _ in range(1000)]

    async def test(hub: SubscriptionHub) -> None:
        async def follow(caller: Caller) -> list[int]:
            with following(hub, caller) as follower:
                return await seqs(follower, 1)

        followed = asyncio.gather(*map(follow, callers))
        await eventually(lambda: len(redis.pubsub_channels()) == 1000)
        assert len(redis.client_list(_type="pubsub")) == 1
        for caller in callers:
            await asyncio.to_thread(post, caller)
        assert await followed == [[1]] * 1000
        await eventually(lambda: not redis.pubsub_channels())

    run(test)


def test_coming_and_going_leaves_nothing_behind(redis: Redis) -> None:
    callers = [open_session(), open_session()]

    async def test(hub: SubscriptionHub) -> None:
        async def visit(number: int) -> None:
            with following(hub, callers[number % 2]) as follower:
                await follower.next(number % 7 / 1000)

        for _ in range(5):
            await asyncio.gather(*map(visit, range(2 * chat_settings.MAX_SUBSCRIBERS)))
        with following(hub, callers[0]) as follower:
            await eventually(lambda: len(redis.pubsub_channels()) == 1)
            post(callers[0])
            assert await seqs(follower, 1) == [1]
        await eventually(lambda: not redis.pubsub_channels())

    run(test)


def test_a_session_has_a_bound_of_followers() -> None:
    caller, other = open_session(), open_session()

    async def test(hub: SubscriptionHub) -> None:
        followers = [
            hub.subscribe(caller, after=0, on_overflow=noop)
            for _ in range(chat_settings.MAX_SUBSCRIBERS)
        ]
        with pytest.raises(RateLimited):
            hub.subscribe(caller, after=0, on_overflow=noop)
        hub.unsubscribe(hub.subscribe(other, after=0, on_overflow=noop))
        hub.unsubscribe(followers.pop())
        followers.append(hub.subscribe(caller, after=0, on_overflow=noop))
        for follower in followers:
            hub.unsubscribe(follower)

    run(test)


def test_a_bad_token_ends_its_own_follower_only() -> None:
    caller = open_session()
    thief = Caller(session_id=caller.session_id, token_hash="0" * 64)

    async def test(hub: SubscriptionHub) -> None:
        with following(hub, caller) as follower, following(hub, thief) as stranger:
            post(caller)
            with pytest.raises(SessionNotFound):
                await stranger.next(PATIENCE)
            assert not stranger.was_authorized
            assert await seqs(follower, 1) == [1]

    run(test)


def test_what_is_told_whole_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    caller = open_session()
    read: list[Sequence[Position]] = []

    def spy(places: Sequence[Position]) -> list[EventBatch | ParleyError]:
        read.append(places)
        return read_logs(places)

    async def test(hub: SubscriptionHub) -> None:
        with following(hub, caller) as follower:
            assert await follower.next(0.2) is None
            monkeypatch.setattr(subscriptions, "LOOK_EVERY", PATIENCE)
            await asyncio.sleep(POLL_INTERVAL)  # until the last look
            monkeypatch.setattr(subscriptions, "read_logs", spy)
            await asyncio.to_thread(post, caller)
            claim = await asyncio.to_thread(take, caller.session_id)
            await asyncio.to_thread(say, claim, "x" * 1000)
            assert await seqs(follower, 3) == [1, 2, 3]
            assert not read
            await asyncio.to_thread(say, claim, "x" * 10_000, after="x" * 1000)
            assert await seqs(follower, 4) == [4]
            assert read

    run(test)


def test_news_that_skips_some_is_read_up_to(redis: Redis) -> None:
    caller = open_session()

    async def test(hub: SubscriptionHub) -> None:
        with following(hub, caller) as follower:
            assert await follower.next(0.2) is None
            # Told as an event that nothing has led up to: nobody is to take it for the next one.
            (channel,) = redis.pubsub_channels()
            redis.publish(channel, b'EVENTS 7 7\n{"type":"message.queued","seq":7}')
            assert await follower.next(0.2) is None
            await asyncio.to_thread(post, caller)
            assert await seqs(follower, 1) == [1]

    run(test)


@pytest.mark.security("S05")
def test_an_old_token_gets_no_event_that_comes_after_the_new_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Even one that is told whole before the reading that ends it has come back."""
    caller = open_session()

    def slow(places: Sequence[Position]) -> list[EventBatch | ParleyError]:
        time.sleep(0.5)
        return read_logs(places)

    async def test(hub: SubscriptionHub) -> None:
        with following(hub, caller) as follower:
            assert await follower.next(0.2) is None
            monkeypatch.setattr(subscriptions, "read_logs", slow)
            token, _ = await asyncio.to_thread(sessions.rotate_token, caller)
            await asyncio.to_thread(post, tokens.caller_from_token(token))
            with pytest.raises(SessionNotFound):
                await follower.next(PATIENCE)

    run(test)


@pytest.mark.security("S05")
def test_a_token_of_a_deleted_session_gets_nothing_of_the_next_one_with_its_id(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not even if that has come as far before the reading that ends it has come back."""
    caller = tokens.caller_from_token(sessions.open_session(name="one", key="a key")[0])
    post(caller)

    def slow(places: Sequence[Position]) -> list[EventBatch | ParleyError]:
        time.sleep(0.5)
        return read_logs(places)

    def begin_anew() -> None:
        sessions.delete(caller)
        other = tokens.caller_from_token(sessions.open_session(name="another", key="a key")[0])
        assert other.session_id == caller.session_id
        for _ in range(2):
            post(other)

    async def test(hub: SubscriptionHub) -> None:
        with following(hub, caller) as follower:
            assert await seqs(follower, 1) == [1]
            monkeypatch.setattr(subscriptions, "read_logs", slow)
            await asyncio.to_thread(begin_anew)
            with pytest.raises(SessionNotFound):
                await follower.next(PATIENCE)

    run(test)


@pytest.mark.security("S05")
def test_nor_when_its_end_came_before_the_link_stood(
    monkeypatch: pytest.MonkeyPatch, redis: Redis
) -> None:
    caller = tokens.caller_from_token(sessions.open_session(name="one", key="another key")[0])
    post(caller)

    async def late(connection: Connection, command: str, *channels: bytes) -> None:
        await asyncio.sleep(0.3)
        if channels:
            await connection.send_command(command, *channels)

    def slow(places: Sequence[Position]) -> list[EventBatch | ParleyError]:
        time.sleep(0.5)
        return read_logs(places)

    def begin_anew() -> Caller:
        sessions.delete(caller)
        other = tokens.caller_from_token(
            sessions.open_session(name="another", key="another key")[0]
        )
        post(other)
        return other

    async def test(hub: SubscriptionHub) -> None:
        with following(hub, caller) as follower:
            assert await seqs(follower, 1) == [1]
            monkeypatch.setattr(subscriptions, "read_logs", slow)
            other = await asyncio.to_thread(begin_anew)
            await eventually(redis.pubsub_channels)
            await asyncio.to_thread(post, other)
            with pytest.raises(SessionNotFound):
                await follower.next(PATIENCE)

    monkeypatch.setattr(pubsub, "_send", late)
    run(test)


def test_one_who_does_not_take_is_cut_off_and_the_others_go_on(settings: Settings) -> None:
    settings.CHAT_MAX_BUFFERED_BYTES = 10_000
    caller = open_session()
    cuts = []

    async def test(hub: SubscriptionHub) -> None:
        post(caller)
        claim = take(caller.session_id)
        with (
            following(hub, caller, cut=lambda: cuts.append("slow")) as slow,
            following(hub, caller, cut=lambda: cuts.append("quick")) as quick,
        ):
            assert await seqs(quick, 2) == [1, 2]
            assert await seqs(slow, 2) == [1, 2]
            for number in range(20):
                await asyncio.to_thread(say, claim, "x" * 1000, after="x" * 1000 * number)
                assert await seqs(quick, number + 3) == [number + 3]
            with pytest.raises(SlowConsumer):
                await slow.next(PATIENCE)
            assert cuts == ["slow"]

    run(test)


def test_one_who_keeps_a_send_waiting_is_cut_off_even_at_the_end(settings: Settings) -> None:
    settings.CHAT_WRITE_TIMEOUT = 1.0
    caller = open_session()
    cuts = []

    async def test(hub: SubscriptionHub) -> None:
        post(caller)
        with following(hub, caller, cut=lambda: cuts.append(1)) as follower:
            assert await seqs(follower, 1) == [1]
            await asyncio.to_thread(sessions.delete, caller)
            await eventually(lambda: cuts)
            await asyncio.sleep(2 * POLL_INTERVAL)
            assert cuts == [1]

    run(test)


def test_one_who_is_far_behind_is_read_for_at_his_own_pace(settings: Settings) -> None:
    """A client that resumes must not be cut off by all that it has missed."""
    settings.CHAT_MAX_BUFFERED_BYTES = 10_000
    caller = open_session()
    post(caller)
    claim = take(caller.session_id)
    for number in range(40):
        say(claim, "x" * 10_000, after="x" * 10_000 * number)

    async def test(hub: SubscriptionHub) -> None:
        with following(hub, caller) as follower:
            assert await seqs(follower, 42) == list(range(1, 43))

    run(test)


@pytest.mark.parametrize("trouble", [Proxy.cut, Proxy.half_open])
def test_a_link_that_is_lost_is_made_anew(
    parley: Stack, settings: Settings, redis: Redis, trouble: Callable[[Proxy], object]
) -> None:
    """What happens meanwhile costs a second, even when the link dies without a word."""
    with Proxy(parley.redis.url) as proxy:
        settings.REDIS_URL = proxy.url
        caller = open_session()

        async def test(hub: SubscriptionHub) -> None:
            loop = asyncio.get_running_loop()
            with following(hub, caller) as follower:
                await eventually(redis.pubsub_channels)
                trouble(proxy)
                client.cache_clear()
                started = loop.time()
                await asyncio.to_thread(post, caller)
                assert await seqs(follower, 1) == [1]
                assert loop.time() - started < 1 + chat_settings.STORE_TIMEOUT + 2

                def is_heard() -> bool:
                    return bool(redis.publish(next(iter(redis.pubsub_channels()), b"-"), "1"))

                await eventually(is_heard)

        run(test)


def test_lost_news_cost_a_second_though_others_are_read_for_all_the_time(
    parley: Stack, settings: Settings, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pubsub, "SILENCE", 6 * PATIENCE)
    caller = open_session()
    post(caller)

    async def come_and_go(hub: SubscriptionHub) -> None:
        while True:
            with following(hub, caller) as other:
                await other.next(PATIENCE)
            await asyncio.sleep(0)

    async def test(hub: SubscriptionHub) -> None:
        settings.REDIS_URL = parley.redis.url
        with following(hub, caller, after=1) as follower:
            assert await follower.next(0.2) is None
            await eventually(redis.pubsub_channels)
            proxy.half_open()
            others = asyncio.create_task(come_and_go(hub))
            await asyncio.to_thread(post, caller)
            assert await seqs(follower, 2) == [2]
            others.cancel()

    with Proxy(parley.redis.url) as proxy:
        settings.REDIS_URL = proxy.url
        run(test)


def test_a_session_that_ends_says_so_also_to_one_who_has_something_left_to_take() -> None:
    caller = open_session()

    async def test(hub: SubscriptionHub) -> None:
        with following(hub, caller) as follower:
            events = session_events.events(follower, after=0)
            await asyncio.to_thread(post, caller)
            assert isinstance(await anext(events), EventBatch)
            await asyncio.to_thread(post, caller)
            await eventually(lambda: follower.cursor == 2)
            await asyncio.to_thread(sessions.delete, caller)
            await eventually(lambda: not follower.needs_reads)
            told: list[EventBatch] = []
            with pytest.raises(SessionNotFound):
                await take_all(events, told)
            assert [each.first_seq for each in told] == [2, 3]
            assert b"session.deleted" in told[-1].events[0]

    run(test)


def saved(redis: Redis, caller: Caller) -> Callable[[], None]:
    """Return what sets the session back to how it is now, while nobody hears of it."""
    own = keys.for_session(caller.session_id)
    before = {name: value for name in own if (value := redis.dump(name))}
    assert {own.session, own.events} <= before.keys()

    def set_back() -> None:
        redis.client_kill_filter(_type="pubsub")
        for name, value in before.items():
            redis.restore(name, max(redis.pttl(name), 0), value, replace=True)

    return set_back


def blocked(_: Sequence[Position]) -> list[EventBatch | ParleyError]:
    raise StoreUnavailable


async def mute(*_: Connection | str | bytes) -> None:
    raise ConnectionResetError


@pytest.mark.fault("F18")
@pytest.mark.parametrize("is_idle", [True, False])
@pytest.mark.parametrize("posts", [0, 1, 2, 3])
def test_a_redis_that_was_set_back_is_found_out_however_far_it_has_come_since(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, posts: int, *, is_idle: bool
) -> None:
    """By one who was told of what is no more, or only knew of it when it began to follow."""
    caller = open_session()
    post(caller)
    set_back = saved(redis, caller)

    def in_the_other_history() -> None:
        set_back()
        for number in range(posts):
            post(caller, f"another {number}")
        assert not redis.pubsub_channels()

    async def test(hub: SubscriptionHub) -> None:
        if is_idle:
            post(caller, "lost")
        with following(hub, caller, after=2 if is_idle else 0) as follower:
            events = session_events.events(follower, after=follower.cursor)
            if not is_idle:
                assert await span(events) == (1, 1)
                await eventually(redis.pubsub_channels)
                await asyncio.to_thread(post, caller, "lost")
                assert await span(events) == (2, 2)
            await eventually(lambda: follower.last_event_time and redis.pubsub_channels())
            with monkeypatch.context() as patch:
                patch.setattr(subscriptions, "read_logs", blocked)
                patch.setattr(pubsub, "_send", mute)
                await asyncio.to_thread(in_the_other_history)
            gap = await anext(events)
            assert isinstance(gap, Gap)
            assert (gap.requested, gap.earliest, gap.snapshot.seq) == (2, 1, 1 + posts)
            await asyncio.to_thread(post, caller)
            assert await span(events) == (2 + posts, 2 + posts)

    run(test)


@pytest.mark.fault("F18")
def test_a_poll_that_waits_while_redis_is_set_back_is_given_all_there_is(redis: Redis) -> None:
    """Though the session has come as far again as it was known to be."""
    caller = open_session()
    post(caller)
    set_back = saved(redis, caller)
    post(caller, "lost")

    async def test(_: SubscriptionHub) -> None:
        polled = session_events.changed(caller, after=2, known=-1, limit=50, wait=20)
        waiting = asyncio.create_task(polled)
        try:
            topics = subscriptions.hub()._channels
            await eventually(
                lambda: [f for t in topics.values() for f in t.subscribers if f.last_event_time]
            )
            set_back()
            post(caller, "another")
            found = await waiting
        finally:
            session_events.close()
        assert found is not None
        assert (found.seq, len(found.messages)) == (2, 4)

    run(test)


async def span(events: AsyncIterator[EventBatch | Gap | None]) -> tuple[int, int]:
    """The numbers of the first and the last event that come next."""
    found = await anext(events)
    assert isinstance(found, EventBatch)
    return found.first_seq, found.last_seq


@pytest.mark.security("S05")
def test_a_token_that_is_replaced_before_a_gap_is_told_is_said_to_be() -> None:
    """And not that the session is gone, after which nobody would come back."""
    caller = open_session()
    post(caller)

    async def test(hub: SubscriptionHub) -> None:
        with following(hub, caller, after=7) as follower:
            await eventually(lambda: follower.cursor == 1)  # what it holds does not follow on 7
            await asyncio.to_thread(sessions.rotate_token, caller)
            with pytest.raises(InvalidToken):
                await anext(session_events.events(follower, after=7))

    run(test)


async def take_all(events: AsyncIterator[EventBatch | Gap | None], told: list[EventBatch]) -> None:
    """Keep what comes, until the session is gone."""
    async for found in events:
        assert isinstance(found, EventBatch)
        told.append(found)


def test_without_redis_followers_wait_and_then_go_on(parley: Stack, settings: Settings) -> None:
    caller = open_session()
    with Proxy(parley.redis.url) as proxy:
        settings.REDIS_URL = proxy.url
        client.cache_clear()

        async def test(hub: SubscriptionHub) -> None:
            with following(hub, caller) as follower:
                assert await follower.next(0.2) is None
                proxy.refuse()
                assert await follower.next(1.5) is None
                proxy.listen()
                await asyncio.to_thread(post, caller)
                assert await seqs(follower, 1) == [1]

        run(test)
    client.cache_clear()


def test_a_hub_that_is_closed_lets_all_come_to_an_end(redis: Redis) -> None:
    caller = open_session()

    async def test(hub: SubscriptionHub) -> None:
        with following(hub, caller) as follower:
            asyncio.get_running_loop().call_later(0.1, hub.close)
            assert await follower.next(PATIENCE) is None
            assert follower.is_finished
        with following(hub, caller) as late:
            assert late.is_finished
        await eventually(lambda: not redis.pubsub_channels())

    run(test)
