"""A Parley that runs outside a checkout, such as in a container."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from parley_client import Client
from tests.harness.environment import without_parley_variables
from tests.harness.ports import free_port
from tests.harness.wait import wait_until

# Seconds; other tests may keep both cores busy.
START_TIMEOUT = 60
# Variables of the test process that an installation does not have.
OF_THE_TESTS = {"DJANGO_SETTINGS_MODULE", "PARLEY_HOME", "PYTHONPATH", "REDIS_URL", "SECRET_KEY"}


class Installation:
    """Starts all of Parley with one command."""

    def __init__(self, directory: Path, command: Sequence[str], *, log: Path, **env: str) -> None:
        """Prepare to run `command` in `directory`."""
        self.directory = directory
        self.command = command
        self.port = free_port()
        self.log = log
        inherited = without_parley_variables(os.environ)
        self.env = {name: inherited[name] for name in inherited.keys() - OF_THE_TESTS} | {
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            **env,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Client:
        """Start it and wait until it is ready; return a client."""
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                self.command, cwd=self.directory, env=self.env, stdout=output, stderr=output
            )
        wait_until(lambda: "Parley is ready" in self.log.read_text(), within=START_TIMEOUT)
        return Client(f"http://127.0.0.1:{self.port}")

    def stop(self) -> None:
        """Stop it as `docker stop` does."""
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(START_TIMEOUT)


def stores(home: Path, text: str) -> bool:
    """Return whether Redis's files in `home` contain a text."""
    return any(text.encode() in file.read_bytes() for file in home.rglob("*.incr.aof"))
