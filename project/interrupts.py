"""Ctrl-C while a process is being loaded: it ends at once and says nothing, as SIGTERM has it end.

Python's own way is a KeyboardInterrupt wherever an import stands just then, so what is seen is a
traceback of somebody else's code. So programs begin with `end_at_once`, before their imports.
"""

import signal
from types import FrameType


def end_at_once() -> bool:
    """Have Ctrl-C end the process, if it is not ignored and has no handler; return whether so."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return False
    signal.signal(signal.SIGINT, _end)
    return True


def raise_again() -> None:
    """Have Ctrl-C raise KeyboardInterrupt once more, if it is `end_at_once` that it obeys."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(number: int, _frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)
    signal.raise_signal(number)
