"""What SIGHUP does to web processes and workers."""

import logging
import os
import signal
from threading import Thread
from types import FrameType

logger = logging.getLogger(__name__)

IGNORED = "SIGHUP ignored: restart the process to apply changed settings"
# Read at import, because Celery replaces the handler.
IS_UNDER_NOHUP = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def ignore() -> None:
    """Ignore SIGHUP, because settings are read at start only.

    If the terminal closes, the process stops gracefully, unless it runs under `nohup`.
    """
    had_terminal = _has_terminal() and not IS_UNDER_NOHUP

    def handle(_signal: int, _frame: FrameType | None) -> None:
        if had_terminal and not _has_terminal():
            os.kill(os.getpid(), signal.SIGTERM)
        else:
            # In a thread: the signal may have interrupted this one while it was writing to the log.
            Thread(target=logger.warning, args=(IGNORED,)).start()

    signal.signal(signal.SIGHUP, handle)


def _has_terminal() -> bool:
    """Return whether the process has a controlling terminal that is open."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
