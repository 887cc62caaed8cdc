"""Sets the wall clock of the Python process that finds this on its path, by CLOCK_SHIFT seconds.

libfaketime does it for servers written in C. In Python 3.11 it breaks either `time.sleep` or
waiting for locks, whose deadlines it does not shift with the clock that they are made of.
"""

import os
import time

_time, _time_ns = time.time, time.time_ns
SHIFT = int(os.environ["CLOCK_SHIFT"])

time.time = lambda: _time() + SHIFT
time.time_ns = lambda: _time_ns() + SHIFT * 1_000_000_000
