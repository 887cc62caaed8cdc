"""The first steps of every process: Django is set up, or a line says which setting is wrong."""

import gc
import logging
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

import django
from django.core.exceptions import ImproperlyConfigured

from chat.domain.errors import ConfigError

logger = logging.getLogger(__name__)

GARBAGE = 20_000
"""Objects that have come, less those that have gone, after which new ones are looked through."""


@contextmanager
def settings_told() -> Iterator[None]:
    """End the process with the name of a setting that proves wrong, and without a traceback.

    The exit code is that of sysexits.h: whoever restarts what has died need not try again.
    """
    try:
        yield
    except (ImproperlyConfigured, ConfigError) as error:
        sys.stderr.write(f"Parley cannot start: {error}\n")
        sys.exit(os.EX_CONFIG)


def set_up() -> None:
    """Set Django up."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    with settings_told():
        django.setup()
    tell_in_the_log()


def tell_in_the_log() -> None:
    """Have the log tell of Python's warnings, and of errors that end a thread or the process."""
    logging.captureWarnings(capture=True)
    if threading.excepthook is threading.__excepthook__:  # and not one of who runs Parley in tests
        threading.excepthook = _thread_excepthook
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = _excepthook


def _excepthook(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return  # somebody at the keyboard knows; Python ends itself by SIGINT
    logger.critical("The process ends by an error", exc_info=(kind, error, trace))


def _thread_excepthook(told: threading.ExceptHookArgs) -> None:
    if told.exc_value is not None and told.exc_type is not SystemExit:
        about = (told.exc_type, told.exc_value, told.exc_traceback)
        name = told.thread.name if told.thread else "unknown"
        logger.error("The thread %s ends by an error", name, exc_info=about)


def settle() -> None:
    """Look for garbage less often, and not among what has been loaded by now, which stays.

    A turn makes few cycles; looking for them took a thirtieth of the CPU.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE, 20, 20)
