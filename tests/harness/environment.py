"""The variables that the tests' own process and all that they start live by."""

import os
import signal
from collections.abc import Mapping

from tests.harness.ports import free_port

FOREIGN = ("CHAT_", "LOG_", "MODEL_", "OTEL_")
"""Prefixes of variables that would make a test depend on whose shell it runs in."""
NAMES = {"ALLOWED_HOSTS", "BROKER_URL", "DATABASE_URL", "DEBUG", "HUGGINGFACE_INFERENCE_TOKEN"}


def clean(environ: Mapping[str, str]) -> dict[str, str]:
    """Return `environ` without anything that configures Parley."""
    return {
        name: value
        for name, value in environ.items()
        if not name.startswith(FOREIGN) and name not in NAMES
    }


def adopt(home: str) -> None:
    """Make this process one that keeps its state in `home` and Redis on a port of its own.

    Nothing is started yet: a server on that port comes with the first test that needs it.
    """
    kept = clean(os.environ)
    os.environ.clear()
    os.environ.update(
        kept,
        DJANGO_SETTINGS_MODULE="project.settings",
        PARLEY_HOME=home,
        REDIS_URL=f"redis://:{PASSWORD}@127.0.0.1:{free_port()}/0",
        SECRET_KEY="a-key-of-the-tests-that-is-worth-nothing-elsewhere-0123",
    )
    # What a script starts in the background ignores Ctrl-C, and so would all that is started here.
    signal.signal(signal.SIGINT, signal.default_int_handler)


PASSWORD = "of-the-tests"
