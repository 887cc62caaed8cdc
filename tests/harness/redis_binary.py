"""The Redis server that tests start."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from project.runner import commands
from project.runner.process import Program
from project.runner.redis_server import find_server

# `TEST_REDIS_SERVER`, or else the server that `make run` starts.
BINARY = os.environ.get("TEST_REDIS_SERVER") or find_server()


def redis_program(directory: Path, **options: Any) -> Program:
    """Return the server with its data in `directory`. options: those of `commands.redis`."""
    program = commands.redis(directory, **options)
    return replace(program, argv=(BINARY, *program.argv[1:]))
