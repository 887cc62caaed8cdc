"""examples/openai_background.py works."""

import os
import subprocess
import sys

from project.runner.process import ROOT


def test_background_example_prints_the_response(base_url: str, api_key: str) -> None:
    result = subprocess.run(
        [sys.executable, str(ROOT / "examples/openai_background.py")],
        env=os.environ | {"OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": api_key},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert result.stdout.startswith("resp_")
