"""What the pages tell somebody to type is typed, and does what they say."""

import asyncio
import os
import re
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from parley_client import Client
from project.supervisor.children import ROOT
from tests.harness.stack import Stack

OTHERS_URL = re.compile(r"(?:http://127\.0\.0\.1|localhost):8000")
"""Where Parley is for those who read the pages."""
README = (ROOT / "README.md").read_text()
SLOWLY = "rate=10"
"""What a reader waits for, a test need not."""


def examples(place: str, language: str, stack: Stack) -> str:
    """Return the code of one section of a page, for this Parley."""
    page, _, title = place.partition("#")
    text = (ROOT / "docs" / page).read_text()
    section = text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    blocks = re.findall(rf"^```{language}\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    assert blocks, place
    code = OTHERS_URL.sub(stack.web().url, "".join(blocks))
    return code.replace(SLOWLY, "rate=100")


def typed(script: str, *, until: str) -> str:
    """Return what a shell prints, up to the line in which somebody has seen enough."""
    with subprocess.Popen(
        ["bash", "-euo", "pipefail", "-c", script],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as shell:
        assert shell.stdout is not None
        seen = ""
        for line in shell.stdout:
            seen += line
            if until in line:
                break
        if shell.poll() is None:
            os.killpg(shell.pid, signal.SIGTERM)
    return seen


def test_five_minutes_lead_from_a_post_to_its_reply(stack: Stack) -> None:
    seen = typed(examples("start.md#Call it", "sh", stack), until="event: message.completed")
    posted, _, rest = seen.partition("event: message.queued")
    assert "202 Accepted" in posted
    assert posted.count('"next_poll"') == 2
    assert "event: message.delta" in rest
    assert rest.endswith("event: message.completed\n")


def test_four_lines_post_and_wait(stack: Stack) -> None:
    seen = typed(examples("api.md#Quick example", "sh", stack), until="next_poll")
    assert '"queue_position":0}' in seen
    assert '"content":"Hello!"' in seen.rpartition('"messages":[')[2]


def test_a_session_is_followed_with_curl(stack: Stack) -> None:
    seen = typed(examples("subscriptions.md#curl", "sh", stack), until="event: message.completed")
    assert re.search(r"retry: \d+\n\nid: 1\nevent: message.queued\ndata: {", seen)


def test_the_first_program_prints_its_reply(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    exec(compile(examples("start.md#Program it", "python", stack), "start.md", "exec"), {})  # noqa: S102
    assert "sea salty" in capsys.readouterr().out


def test_the_readmes_program_prints_its_reply(
    stack: Stack, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARLEY_URL", stack.web().url)
    (program,) = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    exec(compile(program, "README.md", "exec"), {})  # noqa: S102
    assert "sea salty" in capsys.readouterr().out


def test_a_session_is_followed_with_nothing_but_websockets(stack: Stack) -> None:
    names: dict[str, Any] = {}
    page = examples("subscriptions.md#Python", "python", stack)
    exec(compile(page, "subscriptions.md", "exec"), names)  # noqa: S102
    session = Client(stack.web().url).open()
    reply = session.send("Hello!")
    events = asyncio.run(followed(names["follow"], stack.web().url, session.token))
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["message"]["content"] == reply.text


async def followed(
    follow: Callable[[str, str], AsyncIterator[dict[str, Any]]], url: str, token: str
) -> list[dict[str, Any]]:
    """Return what comes, up to the end of the first reply."""
    events = []
    async for event in follow(url, token):
        events.append(event)
        if event["type"] == "message.completed":
            break
    return events
