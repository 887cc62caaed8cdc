"""Run `manage.py doctor` on an installation."""

import subprocess
import sys

from project.runner.process import ROOT
from tests.harness.stack import Stack


def doctor(stack: Stack, *options: str, **env: str) -> tuple[int, str]:
    """Return the exit code and the output. An empty variable counts as unset."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "doctor", *options],
        env=stack.env | env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr
