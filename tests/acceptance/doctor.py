"""Run `manage.py doctor` on an installation."""

from tests.harness.run_module import run_module
from tests.harness.stack import Stack


def doctor(stack: Stack, *options: str, **env: str) -> tuple[int, str]:
    """Return the exit code and the output. An empty variable counts as unset."""
    return run_module("manage", "doctor", *options, env=stack.env | env)
