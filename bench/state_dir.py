"""A temporary state directory, and settings that point to it."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import django

from tests.harness import environment


def create() -> Path:
    """Create the directory, which is removed at exit, and set Django up to use it."""
    directory = tempfile.mkdtemp(prefix="parley-bench-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    environment.isolate(directory)
    os.environ["CHAT_MESSAGES_PER_MINUTE"] = os.environ["CHAT_SESSIONS_PER_MINUTE"] = "0"
    django.setup()
    return Path(directory)
