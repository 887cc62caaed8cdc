"""The Celery app: `celery -A celery_app worker`."""

import logging
import os
import warnings
from importlib import import_module
from typing import Any

from project import interrupts

loading = interrupts.end_at_once()

from celery import Celery
from celery.apps import worker as worker_program
from celery.exceptions import SecurityWarning
from celery.signals import celeryd_init, setup_logging, worker_ready
from django.conf import settings

from project.bootstrap import set_up, settle

STDERR = 2

set_up()
if settings.OTEL_EXPORTER_OTLP_ENDPOINT:
    import_module("project.telemetry").start()

# Six lines for whoever runs it as root, for the sake of pickles; wake-ups are JSON, all else is
# refused (S37).
warnings.filterwarnings("ignore", category=SecurityWarning)
# Without Celery's Django fixup: tasks use no SQL, so there are no connections to tend after each.
app = Celery("parley", fixups=[])
app.config_from_object("project.celery_settings")
# By path: the bootstep is imported when a worker starts, and only there.
app.steps["worker"].add("chat.worker.bootstep:Pulse")
app.autodiscover_tasks(["chat.worker"])
# Web processes publish from threads of the WSGI pool: there, too, this is the current app.
app.set_default()
if loading:
    interrupts.raise_again()


@setup_logging.connect
def _leave_the_log_alone(**_: object) -> None:
    """Have LOG_LEVEL hold in workers, too: unheard, Celery would set a level of its own."""


@celeryd_init.connect
def _speak_by_the_log(instance: Any, **_: object) -> None:
    """Have what Celery would print, its banner and its last words, told by lines of the log."""
    interrupts.end_at_once()  # until Celery has a handler of its own
    instance.quiet = True
    worker_program.safe_say = _say  # type: ignore[attr-defined]  # the stubs leave it out


def _say(text: str, _stream: object = None) -> None:
    """Write a line from within a handler of a signal, where a lock or a buffer may be taken."""
    record = logging.LogRecord("celery.worker", logging.INFO, "", 0, text, None, None)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            os.write(STDERR, f"{handler.format(record)}\n".encode())


@worker_ready.connect
def _settle(**_: object) -> None:
    settle()
