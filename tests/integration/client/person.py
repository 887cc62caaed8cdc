"""Somebody who sits at a terminal, with a program on it."""

import os
import pty
import re
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Self

from tests.harness.waiting import wait_until

CONTROLLING = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "os.execv(sys.argv[1], sys.argv[1:])"
)
"""Makes the terminal the one whose Ctrl-C the program gets."""
STYLE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
"""What a line editor says to the terminal alone."""


class Person:
    """Types into a program, sees what it prints."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str]) -> None:
        self._hand, program_side = pty.openpty()
        self._program = subprocess.Popen(
            [sys.executable, "-c", CONTROLLING, *argv],
            stdin=program_side,
            stdout=program_side,
            stderr=program_side,
            env={**env, "TERM": "dumb"},
            start_new_session=True,
        )
        os.close(program_side)
        self._screen = b""
        self._looked = 0
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._program.kill()
        self._program.wait()
        self._reading.join()
        os.close(self._hand)

    def types(self, line: str) -> None:
        """Type a line, and Enter."""
        os.write(self._hand, f"{line}\n".encode())

    def presses(self, letter: str) -> None:
        """Press Ctrl and a letter."""
        os.write(self._hand, bytes([ord(letter) - ord("a") + 1]))

    def sees(self, text: str, *, within: float = 60.0) -> str:
        """Return what is printed up to and with the text, from where one last looked."""
        wait_until(lambda: text in self.screen[self._looked :], within=within)
        start, self._looked = self._looked, self.screen.index(text, self._looked) + len(text)
        return self.screen[start : self._looked]

    @property
    def screen(self) -> str:
        """All that was printed."""
        return STYLE.sub("", self._screen.decode(errors="replace")).replace("\r\n", "\n")

    def exit_code(self) -> int:
        """Return the program's exit code once it has ended."""
        return self._program.wait(20)

    def _read(self) -> None:
        with suppress(OSError):  # the last program has left the terminal
            while piece := os.read(self._hand, 65536):
                self._screen += piece
