"""A power loss and a slow disk, emulated with `strace`.

A power loss destroys data that Redis has written but not synced to disk. A killed process loses
none of it, because the kernel still writes it. Therefore `strace` records what Redis wrote to its
append-only file and what it synced, and the file is truncated to the synced part.
"""

import os
import re
import shutil
from dataclasses import replace
from pathlib import Path

from tests.acceptance.deployment import Deployment

TRACED = "write,writev,fdatasync,fsync"
# A line of strace's output: a call that ends there, starts there, or continues an earlier line.
CALL = re.compile(
    r"^(?P<thread>\d+) +(?:(?P<call>\w+)\(\d+<(?P<path>[^>]*)>.*?|<\.\.\. \w+ resumed>.*?)"
    r"(?:<unfinished \.\.\.>|= (?P<result>-?\d+).*)$"
)
STRACE = shutil.which("strace")


class TracedFile:
    """The bytes of one file that were written, and those that were synced to disk."""

    def __init__(self) -> None:
        self.written = 0
        self.synced = 0
        # Thread -> bytes that had been written when its call started.
        self._written_at_start: dict[str, int] = {}

    def start_call(self, thread: str) -> None:
        self._written_at_start[thread] = self.written

    def end_call(self, thread: str, call: str, result: int) -> None:
        if call.startswith("write"):
            self.written += max(0, result)
        elif result == 0:
            self.synced = max(self.synced, self._written_at_start[thread])


def slow_down_disk(deployment: Deployment, *, appendfsync: str, seconds: float) -> None:
    """Make each sync of Redis, which is not started yet, take this long."""
    delay = f"inject=fsync,fdatasync:delay_enter={seconds * 1e6:.0f}"
    options = ("-e", "trace=fsync,fdatasync", "-e", delay, "-o", "/dev/null")
    _run_under_strace(deployment, *options, appendfsync=appendfsync)


def _run_under_strace(deployment: Deployment, *options: str, appendfsync: str) -> None:
    with (Path(deployment.stack.directory) / "redis" / "redis.conf").open("a") as configuration:
        configuration.write(f"appendfsync {appendfsync}\n")
    program = deployment.stack.redis.program
    argv = (STRACE or "strace", "-f", *options, *program.argv)
    deployment.stack.redis.program = replace(program, argv=argv)


class PowerSupply:
    """The power supply of a deployment's Redis."""

    def __init__(self, deployment: Deployment, *, appendfsync: str) -> None:
        """Prepare Redis, which is not started yet, to run under `strace`."""
        self._deployment = deployment
        directory = Path(deployment.stack.directory)
        self._trace = directory / "redis.strace"
        self._logs = directory / "redis" / "appendonlydir"
        self._program = deployment.stack.redis.program
        options = ("-y", "-s", "0", "-e", f"trace={TRACED}", "-o", str(self._trace))
        _run_under_strace(deployment, *options, appendfsync=appendfsync)

    def cut(self) -> int:
        """Kill Redis and drop its unsynced data; return the lost bytes. Redis can be restarted."""
        redis = self._deployment.stack.redis
        redis.kill()
        redis.program = self._program
        [log] = self._logs.glob("*.incr.aof")
        file = self._read_trace(log)
        # The end of a call is traced before the thread continues, so before Redis responds.
        assert 0 < file.written <= log.stat().st_size
        os.truncate(log, file.synced)
        return file.written - file.synced

    def _read_trace(self, log: Path) -> TracedFile:
        file = TracedFile()
        # Thread -> its open call on this file.
        open_calls: dict[str, str] = {}
        for line in self._trace.read_text(errors="replace").splitlines():
            found = CALL.match(line)
            if not found:
                continue
            thread = found["thread"]
            if found["path"] == str(log):
                open_calls[thread] = found["call"]
                file.start_call(thread)
            elif found["call"]:
                continue
            if found["result"] is not None and thread in open_calls:
                file.end_call(thread, open_calls.pop(thread), int(found["result"]))
        return file
