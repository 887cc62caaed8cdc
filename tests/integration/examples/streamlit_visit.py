"""Somebody who uses the Streamlit example; prints what they see, a JSON object a line.

A program of its own: Streamlit leaves files and threads behind, which here would be errors.
"""

import json
import os
import sys
from collections.abc import Callable
from typing import Any

from streamlit.testing.v1 import AppTest

from parley_client import Client, Session


def elsewhere(page: AppTest) -> Session:
    """Return the visitor's session, as another program would have it."""
    return Client().resume(page.session_state["token"])


STEPS: dict[str, Callable[[AppTest, str], Any]] = {
    "says": lambda page, text: page.chat_input[0].set_value(text),
    "prompts": lambda page, text: page.sidebar.text_area[0].set_value(text),
    "resets": lambda page, _: page.sidebar.button[0].click(),
    "returns": lambda *_: None,
    "says elsewhere": lambda page, text: elsewhere(page).send(text),
    "deletes elsewhere": lambda page, _: elsewhere(page).delete(),
}


def seen(page: AppTest) -> dict[str, Any]:
    """Return what stands on the page."""
    said = [
        [message.name, *[part.value for part in (*message.markdown, *message.error)]]
        for message in page.chat_message
    ]
    return {
        "said": said,
        "errors": [error.value for error in page.error],
        "prompt": [area.value for area in page.sidebar.text_area],
        "crashes": [crash.value for crash in page.exception],
    }


def visit(script: str, url: str, steps: list[list[str]]) -> None:
    """Open the page, take the steps, tell what is seen after each."""
    os.environ["PARLEY_URL"] = url
    page = AppTest.from_file(script, default_timeout=60).run()
    for act, text in steps:
        STEPS[act](page, text)
        page.run()
        sys.stdout.write(f"{json.dumps(seen(page))}\n")


if __name__ == "__main__":
    for url, steps in json.loads(sys.argv[2]):
        visit(sys.argv[1], url, steps)
