"""Successive long-polls share a subscriber, and are built from the events that it receives."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest
from pytest_django import Settings
from redis import Redis

from chat.conversation import sessions, tokens, turns
from chat.domain import Caller, Snapshot
from chat.domain.errors import InvalidToken, ParleyError
from chat.realtime import long_poll, session_events
from chat.settings import chat_settings
from tests.harness.redis_cluster import subscribed_channels
from tests.harness.wait import wait_until
from tests.integration.api.fake_worker import append_text, claim_turn, finish_turn

WAIT = 20.0


def open_session() -> Caller:
    return tokens.caller_from_token(sessions.open_session()[0])


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def within() -> None:
        async with asyncio.timeout(60):
            try:
                await test()
            finally:
                session_events.close_all()
                await asyncio.sleep(0)

    asyncio.run(within())


async def poll(caller: Caller, after: int, *, limit: int = 50, wait: float = WAIT) -> Snapshot:
    session = await long_poll.wait_for_change(caller, after=after, known=-1, limit=limit, wait=wait)
    assert session is not None
    return session


def texts(session: Snapshot) -> list[str]:
    return [json.loads(message)["content"] for message in session.messages]


def snapshots_read(redis: Redis) -> int:
    """Return how often a session with a running reply was read."""
    calls: int = redis.info("commandstats").get("cmdstat_get", {}).get("calls", 0)
    return calls


def test_growing_reply_is_built_from_events(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """However its text is escaped; the last poll gets the end of the reply at once."""
    for limit in ("MAX_AGE", "PARKING_TIME"):  # on a slow machine
        monkeypatch.setattr(long_poll, limit, 60.0)
    caller = open_session()
    turns.submit(caller=caller, content="hello")
    claim, pieces = claim_turn(caller.session_id), ['"one"\n', "\\two\\", ',"id":"msg_9" ', "läßt"]

    async def test() -> None:
        session = await poll(caller, 1)
        reads, text = snapshots_read(redis), ""
        for piece in pieces:
            await asyncio.to_thread(append_text, claim, piece, after=text)
            text += piece
            session = await poll(caller, session.seq)
            assert texts(session) == [text]
            assert json.loads(session.messages[0])["seq"] == session.seq
        assert snapshots_read(redis) == reads
        await asyncio.to_thread(finish_turn, claim, after=text)
        session = await poll(caller, session.seq)
        assert texts(session) == [text]
        assert not session.is_running

    run(test)


def test_growing_reply_is_returned_four_times_a_second() -> None:
    caller = open_session()
    turns.submit(caller=caller, content="hello")
    claim = claim_turn(caller.session_id)

    async def grow(text: str = "") -> None:
        for number in range(40):
            await asyncio.to_thread(append_text, claim, f"{number} ", after=text)
            text += f"{number} "
            await asyncio.sleep(0.02)

    async def test() -> None:
        session, received = await poll(caller, 1), [""]
        loop = asyncio.get_running_loop()
        growing, started = asyncio.create_task(grow()), loop.time()
        while not received[-1].endswith("39 "):
            session = await poll(caller, session.seq)
            received += texts(session)
        assert len(received) - 1 <= 2 + 4 * (loop.time() - started)
        assert all(map(str.startswith, received[1:], received))
        await growing

    run(test)


def test_subscriber_is_kept_only_for_a_while(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_poll, "PARKING_TIME", 0.1)
    caller = open_session()

    async def test() -> None:
        await poll(caller, 0, wait=0.2)
        await asyncio.to_thread(wait_until, lambda: not subscribed_channels(redis))

    run(test)


def test_kept_subscribers_take_no_place() -> None:
    caller = open_session()

    async def test() -> None:
        for limit in range(1, 2 * chat_settings.MAX_SUBSCRIBERS):
            await poll(caller, 0, limit=limit, wait=0.01)
        polls = [poll(caller, 0, wait=0.1) for _ in range(chat_settings.MAX_SUBSCRIBERS)]
        assert {session.seq for session in await asyncio.gather(*polls)} == {0}

    run(test)


def test_poll_after_a_cut_response_misses_nothing(settings: Settings) -> None:
    """The response to the waiting poll contains earlier changes than the one that woke it."""
    settings.CHAT_MAX_PAGE_BYTES = 1000
    caller = open_session()
    for number in range(3):
        turns.submit(caller=caller, content=f"{number}" * 100)

    async def test() -> None:
        waiting = asyncio.create_task(
            long_poll.wait_for_change(caller, after=0, known=3, limit=50, wait=WAIT)
        )
        await asyncio.sleep(0.1)
        await asyncio.to_thread(turns.submit, caller=caller, content="3" * 100)
        session = await waiting
        assert session
        assert session.seq < 4
        received = texts(session)
        while session.seq < 4:
            session = await poll(caller, session.seq)
            received += texts(session)
        assert [text[:1] for text in received if text] == ["0", "1", "2", "3"]

    run(test)


@pytest.mark.security("S05")
def test_kept_subscriber_ends_with_its_token() -> None:
    caller = open_session()

    async def test() -> None:
        await poll(caller, 0, wait=0.1)
        await asyncio.to_thread(sessions.rotate_token, caller)
        with pytest.raises(ParleyError) as raised:
            await poll(caller, 0)
        assert not isinstance(raised.value, InvalidToken)

    run(test)
