"""Runs the commands and programs in the README and docs."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from parley_client import Client
from project.runner.process import ROOT
from tests.harness.shell import run_shell
from tests.harness.stack import Stack

# The server address in the docs.
DEFAULT_URL = re.compile(r"(?:http://127\.0\.0\.1|localhost):8000")
README = (ROOT / "README.md").read_text()
# Sped up in tests.
SLOW_RATE = "rate=10"


def code_blocks(location: str, language: str, stack: Stack) -> str:
    """Return the code of a section (page#title), with the URL of this stack."""
    page, _, title = location.partition("#")
    text = (ROOT / "docs" / page).read_text()
    section = text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    blocks = re.findall(rf"^```{language}\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    assert blocks, location
    code = DEFAULT_URL.sub(stack.web().url, "".join(blocks))
    return code.replace(SLOW_RATE, "rate=100")


def test_quickstart_posts_a_message_and_streams_its_reply(stack: Stack) -> None:
    output = run_shell(
        code_blocks("start.md#Call it", "sh", stack), until="event: message.completed"
    )
    posted, _, rest = output.partition("event: message.queued")
    assert "202 Accepted" in posted
    assert posted.count('"next_poll"') == 2
    assert "event: message.delta" in rest
    assert rest.endswith("event: message.completed\n")


def test_four_curl_commands_post_and_poll(stack: Stack) -> None:
    output = run_shell(code_blocks("api.md#Quick example", "sh", stack), until="next_poll")
    assert '"queue_position":0}' in output
    assert '"content":"Hello!"' in output.rpartition('"messages":[')[2]


def test_curl_streams_the_events_of_a_session(stack: Stack) -> None:
    output = run_shell(
        code_blocks("subscriptions.md#curl", "sh", stack), until="event: message.completed"
    )
    assert re.search(r"retry: \d+\n\nid: 1\nevent: message.queued\ndata: {", output)


def test_first_program_prints_its_reply(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(code_blocks("start.md#Program it", "python", stack), "start.md", "exec"), {})  # noqa: S102
    assert "sea salty" in capsys.readouterr().out


def test_readme_program_prints_its_reply(
    stack: Stack, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARLEY_URL", stack.web().url)
    (program,) = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    exec(compile(program, "README.md", "exec"), {})  # noqa: S102
    assert "sea salty" in capsys.readouterr().out


def test_websocket_example_receives_all_events(stack: Stack) -> None:
    names: dict[str, Any] = {}
    page = code_blocks("subscriptions.md#Python", "python", stack)
    exec(compile(page, "subscriptions.md", "exec"), names)  # noqa: S102
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
