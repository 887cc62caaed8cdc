"""The examples of docs/openai.md and examples/ in Python."""

import os
import subprocess
import sys

import pytest

from project.runner.process import ROOT
from tests.harness.shell import run_shell


@pytest.mark.parametrize("source", ["docs/openai.md", "examples/openai_background.py"])
def test_python_examples_print_the_reply(base_url: str, api_key: str, source: str) -> None:
    text = (ROOT / source).read_text()
    code = text.partition("```python\n")[2].partition("```")[0] or text
    code = code.replace("http://127.0.0.1:8000/v1", base_url)
    env = {"OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": api_key}
    result = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | env,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "Ann" in result.stdout or result.stdout.startswith("resp_")


def test_curl_example_prints_a_response(base_url: str, api_key: str) -> None:
    text = (ROOT / "docs/openai.md").read_text()
    code = text.partition("```sh\n")[2].partition("```")[0]
    _, _, request = code.partition("\n")  # the first line creates a key
    request = request.replace("http://127.0.0.1:8000/v1", base_url)
    assert '"status":"completed"' in run_shell(f"KEY={api_key}\n{request}", until='"status"')
