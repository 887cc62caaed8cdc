"""Run a module of Parley to its end."""

import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from project.runner.process import Program
from tests.harness.processes import Process
from tests.harness.wait import wait_until


def run_module(*argv: str, env: Mapping[str, str]) -> tuple[int, str]:
    """Return the exit code and output of `python -m argv`, such as `-m manage doctor`."""
    program = Program(name=argv[0], argv=(sys.executable, "-m", *argv), env=env, stop_timeout=1.0)
    with TemporaryDirectory() as directory:
        process = Process(program, Path(directory) / "log")
        try:
            process.launch()
            wait_until(lambda: not process.is_running, within=60)
            assert process.exit_code is not None
            return process.exit_code, process.log
        finally:
            process.ensure_stopped()
