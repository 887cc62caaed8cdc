"""The JavaScript client, tested by Node with its own tests."""

import os
import shutil
import subprocess

import pytest

from project.runner.process import ROOT
from tests.harness.keys import create_key
from tests.harness.stack import Stack


@pytest.mark.skipif(not shutil.which("node"), reason="Node is not installed")
def test_javascript_client_passes_its_tests(echo_stack: Stack) -> None:
    files = sorted(map(str, (ROOT / "clients/js/test").glob("*.test.js")))
    key = create_key(echo_stack.env)
    result = subprocess.run(
        ["node", "--test", "--test-timeout=30000", *files],
        env=os.environ | {"PARLEY_URL": echo_stack.web().url, "PARLEY_API_KEY": key},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert result.returncode == 0, result.stdout
