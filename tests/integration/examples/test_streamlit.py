"""The Streamlit example, driven by Streamlit's own AppTest."""

import json
import subprocess
import sys
from typing import Any

from project.supervisor.children import ROOT
from tests.harness.stack import Stack

APP = ROOT / "examples" / "streamlit_app.py"
VISIT = "tests.integration.examples.streamlit_visit"


def seen(*visits: tuple[str, list[tuple[str, str]]]) -> list[dict[str, Any]]:
    """Return what is seen after each step of some visits."""
    done = subprocess.run(
        [sys.executable, "-m", VISIT, str(APP), json.dumps(visits)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_visitor_talks_instructs_and_starts_over(stack: Stack) -> None:
    visit = [
        ("says", "tides"),
        ("prompts", "Be terse."),
        ("says", "[[history]]"),
        ("says", "[[fault:400]]"),
        ("returns", ""),
        ("resets", ""),
    ]
    *pages, nowhere = seen((stack.web().url, visit), ("http://127.0.0.1:1", [("returns", "")]))
    greeted, instructed, asked, failed, again, reset = pages
    assert [name for name, _ in greeted["said"]] == ["user", "assistant"]
    assert "tides" in greeted["said"][1][1]
    assert instructed["prompt"] == ["Be terse."]
    assert "Be terse." in asked["said"][-1][1]
    assert failed["said"][-1] == ["assistant", "The model's service refused the request."]
    assert again["said"] == failed["said"]
    assert (reset["said"], reset["prompt"]) == ([], ["Be terse."])
    assert nowhere["errors"] == ["http://127.0.0.1:1 gives no answer."]
    assert [page["crashes"] for page in (*pages, nowhere)] == [[]] * 7


def test_the_page_goes_on_with_what_happened_meanwhile(stack: Stack) -> None:
    growing = "tides [[tokens=60 rate=40]]"
    visit = [
        ("says elsewhere", growing),
        ("says", "x" * 32_769),
        ("deletes elsewhere", ""),
        ("says", "still there?"),
    ]
    followed, refused, emptied, asked = seen((stack.web().url, visit))
    (_, said), (_, reply) = followed["said"]
    assert said == growing
    assert len(reply.split()) == 60
    assert refused["said"][:2] == followed["said"]
    assert "32" in refused["errors"][0]
    assert (emptied["said"], emptied["errors"]) == ([], [])
    assert asked["said"][0] == ["user", "still there?"]
    assert "still" in asked["said"][1][1]


def test_the_page_is_as_short_as_the_docs_say() -> None:
    lines = len(APP.read_text().splitlines())
    page = (ROOT / "README.md").read_text()
    assert f"examples/streamlit_app.py) is a page in Streamlit, in {lines} lines" in page
