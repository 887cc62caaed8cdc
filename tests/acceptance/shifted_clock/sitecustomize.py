"""Shift the wall clock of a Python process by CLOCK_SHIFT seconds.

libfaketime does this for servers written in C. In Python 3.11 it breaks `time.sleep` or waiting for
locks, because it does not shift their deadlines.
"""

import os
import time

_time, _time_ns = time.time, time.time_ns
SHIFT = int(os.environ["CLOCK_SHIFT"])

time.time = lambda: _time() + SHIFT
time.time_ns = lambda: _time_ns() + SHIFT * 1_000_000_000
