"""Drives the Streamlit example; prints the page after each step, one JSON object per line.

It runs as its own process: Streamlit leaves files and threads behind, which pytest would report.
"""

import json
import os
import sys
from collections.abc import Callable
from typing import Any

from streamlit.testing.v1 import AppTest

from parley_client import Client, Session


def session_of(page: AppTest) -> Session:
    """Return the page's session, from outside the page."""
    return Client().attach(page.session_state["token"])


STEPS: dict[str, Callable[[AppTest, str], Any]] = {
    "send": lambda page, text: page.chat_input[0].set_value(text),
    "set prompt": lambda page, text: page.sidebar.text_area[0].set_value(text),
    "reset": lambda page, _: page.sidebar.button[0].click(),
    "reload": lambda *_: None,
    "send elsewhere": lambda page, text: session_of(page).send(text),
    "delete elsewhere": lambda page, _: session_of(page).delete(),
}


def contents(page: AppTest) -> dict[str, Any]:
    """Return the contents of the page."""
    messages = [
        [message.name, *[part.value for part in (*message.markdown, *message.error)]]
        for message in page.chat_message
    ]
    return {
        "messages": messages,
        "errors": [error.value for error in page.error],
        "prompt": [area.value for area in page.sidebar.text_area],
        "exceptions": [exception.value for exception in page.exception],
    }


def run(script: str, url: str, steps: list[list[str]]) -> None:
    """Open the page, execute the steps, print the contents after each."""
    os.environ["PARLEY_URL"] = url
    page = AppTest.from_file(script, default_timeout=60).run()
    for action, text in steps:
        STEPS[action](page, text)
        page.run()
        sys.stdout.write(f"{json.dumps(contents(page))}\n")


if __name__ == "__main__":
    for url, steps in json.loads(sys.argv[2]):
        run(sys.argv[1], url, steps)
