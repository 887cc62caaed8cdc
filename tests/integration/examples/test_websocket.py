"""The WebSocket example in docs/subscriptions.md receives all events."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from parley_client import Client
from tests.harness.stack import Stack
from tests.integration.examples.pages import blocks


def test_websocket_example_receives_all_events(stack: Stack) -> None:
    names: dict[str, Any] = {}
    [block] = [block for block in blocks("docs/subscriptions.md") if block.language == "python"]
    exec(compile(block.code, block.page, "exec"), names)  # noqa: S102
    session = Client(stack.web().url).open()
    reply = session.send("Hello!")
    events = asyncio.run(collect_events(names["follow"], stack.web().url, session.token))
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["message"]["content"] == reply.text


async def collect_events(
    follow: Callable[[str, str], AsyncIterator[dict[str, Any]]], url: str, token: str
) -> list[dict[str, Any]]:
    """Return the events up to the end of the first reply."""
    events = []
    async for event in follow(url, token):
        events.append(event)
        if event["type"] == "message.completed":
            break
    return events
