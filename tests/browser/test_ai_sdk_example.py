"""The example of the AI SDK in a browser: examples/ai-sdk, served by Vite."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from project.runner.healthcheck import is_healthy
from project.runner.process import ROOT, Program
from tests.harness.ports import free_port
from tests.harness.processes import Process
from tests.harness.stack import Stack

DIRECTORY = ROOT / "examples/ai-sdk"
VITE = DIRECTORY / "node_modules/vite/bin/vite.js"
NODE = shutil.which("node")


@pytest.fixture
def vite_url(chat_stack: Stack, tmp_path: Path) -> Iterator[str]:
    if NODE is None or not VITE.exists():
        pytest.skip("Node or the example's packages are not installed (make sdks)")
    url = f"http://127.0.0.1:{free_port()}"
    port = url.rpartition(":")[2]
    program = Program(
        name="vite",
        argv=(NODE, str(VITE), str(DIRECTORY), "--port", port, "--strictPort"),
        env=os.environ | {"PARLEY_URL": chat_stack.web().url},
        is_ready=lambda: is_healthy(url),
        stop_timeout=3.0,
    )
    process = Process(program, tmp_path / "vite.log")
    try:
        process.start()
        yield url
    finally:
        process.ensure_stopped()


# `vite_url` comes first, so the tab is closed before Vite ends and resets the tab's connections.
def test_example_resumes_a_reply_after_a_reload_and_stops_it(vite_url: str, tab: Page) -> None:
    tab.goto(vite_url)
    tab.get_by_label("Message").fill("long [[rate=20 tokens=1000]]")
    tab.get_by_role("button", name="Send").click()
    reply = tab.locator(".assistant .text")
    expect(reply).to_have_text(re.compile(r"\S+ \S+"))
    tab.reload()
    expect(reply).to_have_text(re.compile(r"\S+ \S+"))
    tab.get_by_role("button", name="Stop").click()
    expect(tab.get_by_text("Stopped.")).to_be_visible()
    tab.get_by_label("Message").fill("Hello")
    tab.get_by_role("button", name="Send").click()
    expect(reply).to_have_count(2)
    expect(reply.last).to_contain_text("> Hello")
    tab.reload()
    expect(tab.locator("article")).to_have_count(4)
