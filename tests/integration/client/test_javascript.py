"""The JavaScript client, tested by Node with its own tests."""

import os
import shutil
import subprocess
import sys

import pytest

from project.runner.process import ROOT
from tests.harness.stack import Stack


@pytest.mark.skipif(not shutil.which("node"), reason="Node is not installed")
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
