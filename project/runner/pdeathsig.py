"""Executes another program that the kernel kills when its parent process ends.

`python pdeathsig.py PARENT_PID COMMAND ...` is a script, because code that runs between fork and
exec is unsafe in a process with threads.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def signal_on_parent_exit(number: signal.Signals) -> None:
    """Ask the kernel to send signal `number` to this process when its parent thread ends."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")


def main(parent: str, *command: str) -> None:
    """Execute `command`, tied to the process `parent`; exit if that has ended already."""
    signal_on_parent_exit(signal.SIGKILL)
    if os.getppid() != int(parent):
        sys.exit(1)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
