"""Python runs this when it starts: a process that logs then warns, and a thread of it fails."""

import sys
import time
import warnings
from threading import Thread


def _make_trouble() -> None:
    while sys.excepthook is sys.__excepthook__:
        time.sleep(0.02)
    warnings.warn("a warning\nof two lines", UserWarning, stacklevel=1)
    raise RuntimeError("a fault\nof two lines")


Thread(target=_make_trouble, name="trouble", daemon=True).start()
