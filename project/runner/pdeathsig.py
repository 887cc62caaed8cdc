"""Become another program that dies with the process that started it.

`python tether.py PARENT_PID COMMAND ...` runs as a script, so that nothing is done between fork
and exec of a process that may have threads.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with_parent(number: signal.Signals) -> None:
    """Have the kernel send signal `number` to this process when its parent's thread ends."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")


def main(parent: str, *command: str) -> None:
    """Tie this process to `parent`, then become `command`; exit if the parent is gone already."""
    die_with_parent(signal.SIGKILL)
    if os.getppid() != int(parent):
        sys.exit(1)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
