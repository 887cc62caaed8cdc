"""The JavaScript client, tested by Node with its own tests."""

import os
import shutil
import subprocess

import pytest

from project.runner.process import ROOT
from tests.harness.stack import Stack

node = pytest.mark.skipif(not shutil.which("node"), reason="Node is not installed")


@node
def test_javascript_client_passes_its_tests(echo_stack: Stack) -> None:
    directory = ROOT / "clients/js"
    files = sorted(map(str, (directory / "test").glob("*.test.js")))
    result = subprocess.run(
        ["node", "--test", "--test-timeout=30000", *files],
        env=os.environ | {"PARLEY_URL": echo_stack.web().url},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert result.returncode == 0, result.stdout
