"""A thread whose failure stops the worker."""

import logging
import os
import signal
from threading import Thread

logger = logging.getLogger(__name__)


class CriticalThread(Thread):
    """Sends SIGTERM to the process if its target raises; the process manager starts another."""

    def run(self) -> None:
        has_returned = False
        try:
            super().run()
            has_returned = True
        finally:
            if not has_returned:
                logger.critical("The %s thread failed; the worker stops.", self.name)
                os.kill(os.getpid(), signal.SIGTERM)
