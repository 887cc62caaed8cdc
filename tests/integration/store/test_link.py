"""The link for news, where there is nothing to be linked to."""

import asyncio

import pytest
from pytest_django import Settings

from chat.store.link import Link
from tests.harness.waiting import wait_until


def test_a_sentinel_that_gives_no_answer_is_asked_once_a_try(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    assert asyncio.run(asked_until_told(settings, caplog)) < 5  # and eleven by redis-py's default


async def asked_until_told(settings: Settings, caplog: pytest.LogCaptureFixture) -> int:
    """Return how often a Sentinel was asked before the log said that the link is broken."""
    asked = 0

    def leave(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        writer.close()

    async with await asyncio.start_server(leave, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        settings.REDIS_URL = f"sentinel://127.0.0.1:{port}/0?service=parley"
        held = asyncio.create_task(Link(lambda *_: None).hold())
        await asyncio.to_thread(wait_until, lambda: "The link for news is broken" in caplog.text)
        held.cancel()
    return asked
