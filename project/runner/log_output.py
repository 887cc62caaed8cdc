"""One log for all processes: each line with the time and the name of who said it."""

import itertools
import os
import select
import sys
import time
from pathlib import Path
from typing import IO, TextIO

COLOURS = (36, 35, 33, 32, 34, 31)
"""ANSI foregrounds, handed out in order of appearance."""
RESET = "\x1b[0m"
WIDTH = 6
"""Columns of a name: that of `worker`."""


class Journal:
    """Writes prefixed lines; coloured on a terminal unless NO_COLOR is set."""

    def __init__(self, stream: TextIO = sys.stdout) -> None:
        self._stream = stream
        self._coloured = stream.isatty() and not os.environ.get("NO_COLOR")
        self._colours: dict[str, int] = {}
        self._next_colour = itertools.cycle(COLOURS)
        self._lost = False

    @property
    def heard(self) -> bool:
        """Whether somebody reads on; a closed terminal or pipe is noticed without a line, too."""
        stream = select.poll()
        stream.register(self._stream.fileno(), 0)  # hang-ups and errors come unasked
        return not self._lost and not stream.poll(0)

    def line(self, name: str, text: str) -> None:
        """Write one line of the process called `name`."""
        prefix = f"{time.strftime('%H:%M:%S')} {name:<{WIDTH}} |"
        if self._coloured:
            colour = self._colours.setdefault(name, 0) or next(self._next_colour)
            self._colours[name] = colour
            prefix = f"\x1b[{colour}m{prefix}{RESET}"
        self.plain(f"{prefix} {text}")

    def plain(self, text: str) -> None:
        """Write a line that belongs to no process."""
        try:
            print(text, file=self._stream, flush=True)
        except OSError:
            self._lost = True
            # What the stream still holds must not fail once more at exit.
            with Path(os.devnull).open("w") as nowhere:
                os.dup2(nowhere.fileno(), self._stream.fileno())


class Lines:
    """Cuts what a process writes into lines for the journal."""

    MOST = 64 * 1024
    """Bytes after which a line without end is cut."""

    def __init__(self, name: str, pipe: IO[bytes], journal: Journal, *, awaited: str = "") -> None:
        """Read `pipe`; `heard` becomes true with the first line that holds `awaited`."""
        self.heard = not awaited
        self._awaited = awaited
        self._name = name
        self._pipe = pipe
        self._journal = journal
        self._rest = b""

    def read(self) -> bool:
        """Pass on what is there; return whether there may be more."""
        block = os.read(self._pipe.fileno(), self.MOST)
        *whole, self._rest = (self._rest + block).split(b"\n")
        if self._rest and (not block or len(self._rest) > self.MOST):
            whole.append(self._rest)
            self._rest = b""
        for line in whole:
            if text := _printable(line.decode(errors="replace").rstrip()):
                self.heard = self.heard or self._awaited in text
                self._journal.line(self._name, text)
        return bool(block)

    def close(self) -> None:
        """Close the pipe."""
        self._pipe.close()


def _printable(text: str) -> str:
    """Replace what could steer a terminal; a log may quote what a stranger sent."""
    return "".join(letter if letter.isprintable() or letter == "\t" else "?" for letter in text)
