"""A power cut and a slow disk, emulated under `strace`.

After a power cut what Redis has written and not yet synced to the disk is gone.
A killed process loses nothing of that, for the kernel writes it in the end. So `strace` tells what
Redis wrote to its log and what it synced, and the log is cut back to there.
"""

import os
import re
import shutil
from dataclasses import replace
from pathlib import Path

from tests.acceptance.scene import Scene

TRACED = "write,writev,fdatasync,fsync"
CALL = re.compile(
    r"^(?P<thread>\d+) +(?:(?P<begun>\w+)\(\d+<(?P<path>[^>]*)>.*?|<\.\.\. \w+ resumed>.*?)"
    r"(?:<unfinished \.\.\.>|= (?P<result>-?\d+).*)$"
)
"""A line of strace's, of a call that ends there or not, or that has begun in an earlier line."""
STRACE = shutil.which("strace")


class Disk:
    """What is known of one file: how much was written, and how much of it is on the disk."""

    def __init__(self) -> None:
        self.written = 0
        self.synced = 0
        self._at_begin: dict[str, int] = {}
        """Thread -> what had been written when its sync began."""

    def begin(self, thread: str) -> None:
        """Note that a call begins."""
        self._at_begin[thread] = self.written

    def end(self, thread: str, call: str, result: int) -> None:
        """Note that a call has ended."""
        if call.startswith("write"):
            self.written += max(0, result)
        elif result == 0:
            self.synced = max(self.synced, self._at_begin[thread])


def slow_down_disk(here: Scene, *, appendfsync: str, seconds: float) -> None:
    """Have Redis, which does not run yet, sync as told, and each sync take so long."""
    delay = f"inject=fsync,fdatasync:delay_enter={seconds * 1e6:.0f}"
    options = ("-e", "trace=fsync,fdatasync", "-e", delay, "-o", "/dev/null")
    _trace(here, *options, appendfsync=appendfsync)


def _trace(here: Scene, *options: str, appendfsync: str) -> None:
    with (Path(here.stack.directory) / "redis" / "redis.conf").open("a") as configuration:
        configuration.write(f"appendfsync {appendfsync}\n")
    program = here.stack.redis.program
    argv = (STRACE or "strace", "-f", *options, *program.argv)
    here.stack.redis.program = replace(program, argv=argv)


class Power:
    """The current of a scene's Redis."""

    def __init__(self, here: Scene, *, appendfsync: str) -> None:
        """Have Redis, which does not run yet, sync as told and be watched."""
        self._here = here
        directory = Path(here.stack.directory)
        self._trace = directory / "redis.strace"
        self._logs = directory / "redis" / "appendonlydir"
        self._program = here.stack.redis.program
        options = ("-y", "-s", "0", "-e", f"trace={TRACED}", "-o", str(self._trace))
        _trace(here, *options, appendfsync=appendfsync)

    def cut(self) -> int:
        """Kill Redis; return how many bytes it had written in vain. It can be started again."""
        redis = self._here.stack.redis
        redis.kill()
        redis.program = self._program
        [log] = self._logs.glob("*.incr.aof")
        disk = self._read(log)
        # A call's end is traced before the thread goes on, so it knows all that was answered.
        assert 0 < disk.written <= log.stat().st_size
        os.truncate(log, disk.synced)
        return disk.written - disk.synced

    def _read(self, log: Path) -> Disk:
        disk = Disk()
        open_calls: dict[str, str] = {}
        """Thread -> its call over this file that has not ended."""
        for line in self._trace.read_text(errors="replace").splitlines():
            found = CALL.match(line)
            if not found:
                continue
            thread = found["thread"]
            if found["path"] == str(log):
                open_calls[thread] = found["begun"]
                disk.begin(thread)
            elif found["begun"]:
                continue
            if found["result"] is not None and thread in open_calls:
                disk.end(thread, open_calls.pop(thread), int(found["result"]))
        return disk
