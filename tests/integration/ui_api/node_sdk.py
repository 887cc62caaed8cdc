"""The AI SDK in Node, which `make sdks` installs."""

import os
import shutil
import subprocess

import pytest

from project.runner.process import ROOT

DIRECTORY = ROOT / "tests/integration/ui_api/node"
needs_node = pytest.mark.skipif(
    not shutil.which("node") or not (DIRECTORY / "node_modules/ai-v7").exists(),
    reason="Node or the AI SDK is not installed (make sdks)",
)


def start_node(*arguments: str, url: str, token: str) -> subprocess.Popen[str]:
    """Start Node with the environment that the programs read."""
    return subprocess.Popen(
        ["node", *arguments],
        cwd=DIRECTORY,
        env=os.environ | {"PARLEY_URL": url, "PARLEY_TOKEN": token},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
