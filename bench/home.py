"""A home and settings of its own for a process that measures Parley from within.

Whoever needs them imports this before anything of `chat`: what is there reads the settings, and
these read the environment. The order of the alphabet sees to that.
"""

import atexit
import os
import shutil
import tempfile

import django

from tests.harness import environment

HOME = tempfile.mkdtemp(prefix="parley-bench-")
"""Removed when the process ends."""
SESSIONS = int(os.environ.get("BENCH_SESSIONS", "100000"))

atexit.register(shutil.rmtree, HOME, ignore_errors=True)
environment.isolate(HOME)
django.setup()
