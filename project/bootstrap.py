"""The first steps of every process: set Django up, or exit and name the wrong setting."""

import gc
import logging
import os
import sys
import threading
from types import TracebackType

import django
from django.conf import settings
from django.core.checks.security.base import check_secret_key
from django.core.exceptions import ImproperlyConfigured

from chat.startup import exit_on_config_error

logger = logging.getLogger(__name__)

# Allocations minus deallocations that start a garbage collection.
GC_THRESHOLD = 20_000


def setup() -> None:
    """Set Django up and configure its logging.

    Raises:
        SystemExit: a setting is wrong; stderr says which.
    """
    # Nearly all objects that imports create stay; looking for garbage took a tenth of the start.
    gc.set_threshold(GC_THRESHOLD, 20, 20)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    with exit_on_config_error():
        django.setup()
        reject_insecure_secret_key()
    log_uncaught_exceptions()


def reject_insecure_secret_key() -> None:
    """Apply Django's deployment check of SECRET_KEY, unless DEBUG is on.

    Raises:
        ImproperlyConfigured: the key is too short, too uniform or an example.
    """
    if not settings.DEBUG and check_secret_key(None):
        raise ImproperlyConfigured(
            "SECRET_KEY: insecure; generate one with"
            " python3 -c 'import secrets; print(secrets.token_urlsafe(50))'"
        )


def log_uncaught_exceptions() -> None:
    """Log Python's warnings, and exceptions that end a thread or the process."""
    logging.captureWarnings(capture=True)
    # pytest installs its own hooks, which must stay.
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = _thread_excepthook
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = _excepthook


def _excepthook(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    # Python exits by SIGINT afterwards; the user who pressed Ctrl-C needs no message.
    if not issubclass(kind, KeyboardInterrupt):
        logger.critical("Uncaught exception; the process exits", exc_info=(kind, error, trace))


def _thread_excepthook(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and args.exc_type is not SystemExit:
        name = args.thread.name if args.thread else "unknown"
        exc_info = (args.exc_type, args.exc_value, args.exc_traceback)
        logger.error("Uncaught exception in thread %s", name, exc_info=exc_info)


def freeze_gc() -> None:
    """Exclude everything loaded so far from garbage collection.

    A turn creates few reference cycles; collecting them took 3 % of the CPU time.
    """
    gc.collect()
    gc.freeze()
