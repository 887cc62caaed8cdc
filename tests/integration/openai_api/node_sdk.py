"""The SDK for Node, which `make sdks` installs."""

import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from project.runner.process import ROOT

DIRECTORY = ROOT / "tests/integration/openai_api/node"
needs_node = pytest.mark.skipif(
    not shutil.which("node") or not (DIRECTORY / "node_modules/openai").exists(),
    reason="Node or OpenAI's SDK for it is not installed (make sdks)",
)


def run_node(
    *arguments: str, base_url: str, api_key: str, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run Node with the environment that the SDK reads."""
    return subprocess.run(
        ["node", *arguments],
        cwd=DIRECTORY,
        env=os.environ | _env(base_url, api_key),
        capture_output=True,
        text=True,
        timeout=120,
        check=check,
    )


def start_node(*arguments: str, base_url: str, api_key: str) -> subprocess.Popen[str]:
    """Start Node with that environment."""
    return subprocess.Popen(
        ["node", *arguments],
        cwd=DIRECTORY,
        env=os.environ | _env(base_url, api_key),
        stdout=subprocess.PIPE,
        text=True,
    )


def iterate_lines(node: subprocess.Popen[str]) -> Iterator[str]:
    """Yield the lines that a program prints, until it ends."""
    assert node.stdout is not None
    yield from node.stdout


def _env(base_url: str, api_key: str) -> dict[str, str]:
    return {"OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": api_key}
