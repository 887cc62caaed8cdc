"""A real Redis or Valkey server on a loopback port."""

import signal
import subprocess
from pathlib import Path

from redis import Redis

from project.runner.healthcheck import accepts_connections
from tests.harness.ports import free_port
from tests.harness.redis_binary import BINARY
from tests.harness.wait import wait_until


class RedisServer:
    """A server process with its data in `directory`."""

    def __init__(self, directory: Path, *options: str) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.redis = Redis.from_url(self.url)
        self._directory = directory
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> "RedisServer":
        """Start the process and wait until it listens; it may still be loading."""
        fixed = ("--port", str(self.port), "--bind", "127.0.0.1", "--save", "")
        self._process = subprocess.Popen(
            [BINARY, *fixed, "--loglevel", "warning", *self._options, *options],
            cwd=self._directory,
            stdout=subprocess.DEVNULL,
        )
        wait_until(lambda: accepts_connections(self.port))
        return self

    def kill(self) -> None:
        """Kill the process, like a crash."""
        process = self._running()
        process.kill()
        process.wait()

    def freeze(self) -> None:
        """Stop the process until `thaw`."""
        self._running().send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Continue the process."""
        self._running().send_signal(signal.SIGCONT)

    def close(self) -> None:
        """Kill the process and close the connections to it."""
        self.redis.close()
        self.kill()

    def _running(self) -> "subprocess.Popen[bytes]":
        assert self._process is not None
        return self._process
