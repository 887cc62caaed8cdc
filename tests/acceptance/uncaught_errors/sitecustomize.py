"""Python imports this at start: once logging is set up, it emits a warning and a thread fails."""

import sys
import time
import warnings
from threading import Thread


def _fail() -> None:
    while sys.excepthook is sys.__excepthook__:
        time.sleep(0.02)
    warnings.warn("a warning\nof two lines", UserWarning, stacklevel=1)
    raise RuntimeError("an error\nof two lines")


Thread(target=_fail, name="failing", daemon=True).start()
