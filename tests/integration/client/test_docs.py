"""The code in docs/client.md runs."""

import re
from typing import Any

from project.runner.process import ROOT
from tests.harness.stack import Stack

BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
DEFAULT_URL = "http://127.0.0.1:8000"


def test_client_examples_run(echo_stack: Stack, key: str) -> None:
    url = echo_stack.web().url
    page = (ROOT / "docs" / "client.md").read_text().replace(DEFAULT_URL, url)
    page = page.replace('Client(api_key="pk_...', f'Client("{url}", api_key="{key}')
    opening, sessions, users, replies = BLOCK.findall(page)
    names: dict[str, Any] = {}
    for block in (opening, sessions, users, "session = client.open()", replies):
        exec(compile(block, "docs/client.md", "exec"), names)  # noqa: S102
    assert names["again"].text == names["reply"].text
