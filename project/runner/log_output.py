"""The combined log of all processes: each line with its time and the name of its process."""

import itertools
import os
import select
import sys
import time
from pathlib import Path
from typing import IO, TextIO

from project.runner.process import Program

# ANSI foreground colours, assigned to names in order of appearance.
COLOURS = (36, 35, 33, 32, 34, 31)
RESET = "\x1b[0m"
# Columns for a name; `worker` is the longest.
NAME_WIDTH = 6


class LogOutput:
    """Writes prefixed lines, in colour on a terminal unless NO_COLOR is set."""

    def __init__(self, stream: TextIO = sys.stdout) -> None:
        self._stream = stream
        self._is_coloured = stream.isatty() and not os.environ.get("NO_COLOR")
        self._colours: dict[str, int] = {}
        self._next_colour = itertools.cycle(COLOURS)
        self._has_failed = False

    @property
    def is_open(self) -> bool:
        """Whether the terminal or pipe is open, without writing to it."""
        poll = select.poll()
        poll.register(self._stream.fileno(), 0)  # hang-ups and errors are always reported
        return not self._has_failed and not poll.poll(0)

    def write_line(self, name: str, text: str) -> None:
        """Write one line of the process called `name`."""
        prefix = f"{time.strftime('%H:%M:%S')} {name:<{NAME_WIDTH}} |"
        if self._is_coloured:
            colour = self._colours.setdefault(name, 0) or next(self._next_colour)
            self._colours[name] = colour
            prefix = f"\x1b[{colour}m{prefix}{RESET}"
        self.write(f"{prefix} {text}")

    def write(self, text: str) -> None:
        """Write text without a prefix."""
        try:
            print(text, file=self._stream, flush=True)
        except OSError:
            self._has_failed = True
            # The stream's buffer must not fail again when the interpreter flushes it at exit.
            with Path(os.devnull).open("w") as devnull:
                os.dup2(devnull.fileno(), self._stream.fileno())


class LineReader:
    """Splits the output of a process into lines and writes them to the log."""

    # Bytes after which a line without an end is split.
    MAX_LINE_BYTES = 64 * 1024

    def __init__(self, program: Program, pipe: IO[bytes], log: LogOutput) -> None:
        # Whether a line has contained the program's `ready_text`.
        self.has_ready_text = not program.ready_text
        # Why the program cannot run, if a line said so.
        self.failure = ""
        self._program = program
        self._pipe = pipe
        self._log = log
        self._rest = b""

    def read(self) -> bool:
        """Forward the available output; return False at its end."""
        block = os.read(self._pipe.fileno(), self.MAX_LINE_BYTES)
        *lines, self._rest = (self._rest + block).split(b"\n")
        if self._rest and (not block or len(self._rest) > self.MAX_LINE_BYTES):
            lines.append(self._rest)
            self._rest = b""
        for line in lines:
            if text := _printable(line.decode(errors="replace").rstrip()):
                self._handle(text)
        return bool(block)

    def _handle(self, text: str) -> None:
        self.has_ready_text = self.has_ready_text or self._program.ready_text in text
        if failure := self._program.explain_failure(text):
            self.failure = failure
        elif not self._program.is_hidden(text):
            self._log.write_line(self._program.name, text)

    def close(self) -> None:
        self._pipe.close()


def _printable(text: str) -> str:
    """Replace terminal control characters: a log may quote a client's input."""
    return "".join(letter if letter.isprintable() or letter == "\t" else "?" for letter in text)
