"""The JavaScript client, tested by Node with its own tests."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from project.runner.process import ROOT
from tests.harness.stack import Stack

BLOCK = re.compile(r"^```js\n(.*?)^```", re.MULTILINE | re.DOTALL)
IMPORT = re.compile(r"^import .*;\n", re.MULTILINE)
PACKAGE = re.compile(r'"(?:@parley/client|\./clients/js/dist/index\.js)"')
DOCS_URL = "http://127.0.0.1:8000"

node = pytest.mark.skipif(not shutil.which("node"), reason="Node is not installed")


@node
def test_javascript_client_passes_its_tests(echo_stack: Stack) -> None:
    directory = ROOT / "clients/js"
    files = sorted(map(str, (directory / "test").glob("*.test.js")))
    create = ["manage.py", "apikey", "create", "test", "--scope", "sessions", "--scope", "users"]
    key = subprocess.run(
        [sys.executable, *create, "--tenant", "test"],
        cwd=ROOT,
        env=echo_stack.env,
        capture_output=True,
        text=True,
        check=True,
    )
    result = subprocess.run(
        ["node", "--test", "--test-timeout=30000", *files],
        env=os.environ | {"PARLEY_URL": echo_stack.web().url, "PARLEY_API_KEY": key.stdout.strip()},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert result.returncode == 0, result.stdout


@node
@pytest.mark.parametrize(
    ("page", "output"),
    [
        ("docs/javascript.md", "assistant completed echo: Tell me a story"),
        ("docs/start.md", "echo: Why is the sea salty?"),
        ("README.md", "echo: Why is the sea salty?"),
    ],
)
def test_examples_of_the_docs_run(echo_stack: Stack, page: str, output: str) -> None:
    text = (ROOT / page).read_text()
    script = "\n".join(BLOCK.findall(text)).replace(DOCS_URL, echo_stack.web().url)
    imports = "\n".join(IMPORT.findall(script))
    module = (ROOT / "clients/js/dist/index.js").as_uri()
    result = subprocess.run(
        ["node", "--input-type=module"],
        input=PACKAGE.sub(f'"{module}"', imports) + IMPORT.sub("", script),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert output in result.stdout
