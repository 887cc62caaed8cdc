"""The Streamlit example, driven by Streamlit's own AppTest."""

import json
import subprocess
import sys
from typing import Any

import pytest

from project.runner.process import ROOT
from tests.harness.stack import Stack

APP = ROOT / "examples" / "streamlit_app.py"
DRIVER = "tests.integration.examples.streamlit_driver"


def run_visits(*visits: tuple[str, list[tuple[str, str]]]) -> list[dict[str, Any]]:
    """Run visits (URL and steps); return the page's contents after each step."""
    process = subprocess.run(
        [sys.executable, "-m", DRIVER, str(APP), json.dumps(visits)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return [json.loads(line) for line in process.stdout.splitlines()]


def test_visitor_chats_sets_a_prompt_and_resets(stack: Stack) -> None:
    visit = [
        ("send", "tides"),
        ("set prompt", "Be terse."),
        ("send", "[[history]]"),
        ("send", "[[fault:400]]"),
        ("reload", ""),
        ("reset", ""),
    ]
    *pages, unreachable = run_visits(
        (stack.web().url, visit), ("http://127.0.0.1:1", [("reload", "")])
    )
    first, prompted, history, failed, reloaded, reset = pages
    assert [name for name, _ in first["messages"]] == ["user", "assistant"]
    assert "tides" in first["messages"][1][1]
    assert prompted["prompt"] == ["Be terse."]
    assert "Be terse." in history["messages"][-1][1]
    assert failed["messages"][-1] == ["assistant", "The model's service rejected the request."]
    assert reloaded["messages"] == failed["messages"]
    assert (reset["messages"], reset["prompt"]) == ([], ["Be terse."])
    assert unreachable["errors"] == ["Could not reach http://127.0.0.1:1."]
    assert [page["exceptions"] for page in (*pages, unreachable)] == [[]] * 7


@pytest.mark.thorough
def test_page_shows_changes_made_by_other_clients(stack: Stack) -> None:
    content = "tides [[tokens=60 rate=40]]"
    visit = [
        ("send elsewhere", content),
        ("send", "a\x00b"),
        ("delete elsewhere", ""),
        ("send", "still there?"),
    ]
    streamed, rejected, deleted, reopened = run_visits((stack.web().url, visit))
    (_, message), (_, reply) = streamed["messages"]
    assert message == content
    assert len(reply.split()) == 60
    assert rejected["messages"][:2] == streamed["messages"]
    assert "NUL" in rejected["errors"][0]
    assert (deleted["messages"], deleted["errors"]) == ([], [])
    assert reopened["messages"][0] == ["user", "still there?"]
    assert "still" in reopened["messages"][1][1]
