"""The SDK for Node, which `make sdks` installs."""

import os
import shutil
import subprocess

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
    env = {"OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": api_key}
    return subprocess.run(
        ["node", *arguments],
        cwd=DIRECTORY,
        env=os.environ | env,
        capture_output=True,
        text=True,
        timeout=120,
        check=check,
    )
