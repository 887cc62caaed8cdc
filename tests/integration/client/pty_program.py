"""Runs a program in a pseudo-terminal, with an interface like pexpect's."""

import os
import pty
import re
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Self

from tests.harness.wait import wait_until

# Makes the terminal the program's controlling terminal, so that Ctrl-C sends it SIGINT.
SET_CONTROLLING_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "os.execv(sys.argv[1], sys.argv[1:])"
)
# Control sequences of the line editor.
ANSI_SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


class PtyProgram:
    """A program that runs in a pseudo-terminal."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str]) -> None:
        self._fd, program_fd = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-c", SET_CONTROLLING_TERMINAL, *argv],
            stdin=program_fd,
            stdout=program_fd,
            stderr=program_fd,
            env={**env, "TERM": "dumb"},
            start_new_session=True,
        )
        os.close(program_fd)
        self._output = b""
        self._position = 0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        os.close(self._fd)

    def sendline(self, line: str) -> None:
        """Type a line and Enter."""
        os.write(self._fd, f"{line}\n".encode())

    def sendcontrol(self, letter: str) -> None:
        """Press Ctrl and a letter."""
        os.write(self._fd, bytes([ord(letter) - ord("a") + 1]))

    def expect(self, text: str, *, within: float = 60.0) -> str:
        """Wait for text; return the output since the last call, up to and including the text."""
        wait_until(lambda: text in self.output[self._position :], within=within)
        start = self._position
        self._position = self.output.index(text, start) + len(text)
        return self.output[start : self._position]

    @property
    def output(self) -> str:
        """All output so far."""
        return ANSI_SEQUENCE.sub("", self._output.decode(errors="replace")).replace("\r\n", "\n")

    def exit_code(self) -> int:
        """Wait for the program to exit; return its exit code."""
        return self._process.wait(20)

    def _read(self) -> None:
        with suppress(OSError):  # all programs have closed the terminal
            while chunk := os.read(self._fd, 65536):
                self._output += chunk
