"""The Celery app: `celery -A celery_app worker`."""

import warnings

from celery import Celery
from celery.exceptions import SecurityWarning
from celery.signals import setup_logging, worker_ready
from django.conf import settings
from django.utils.module_loading import import_string

from project import bootstrap

bootstrap.setup()
if settings.OTEL_EXPORTER_OTLP_ENDPOINT:
    # Imported by its path, because the packages of the extra `tracing` may not be installed.
    import_string("project.telemetry.start")()

# Celery warns a root user about pickle. Workers accept JSON only (docs/security.md, S37).
warnings.filterwarnings("ignore", category=SecurityWarning)
# Tasks use no SQL, so Celery's Django fixup, which closes database connections, is not needed.
app = Celery("parley", fixups=[])
app.config_from_object("project.celery_settings")
# Paths instead of classes, because only workers import them.
app.steps["worker"].update(
    {"chat.worker.bootstep:BackgroundTasks", "project.hangup_step:IgnoreHangup"}
)
app.autodiscover_tasks(["chat.worker"])
# Web processes publish from the threads of the WSGI pool; this app is the current one there, too.
app.set_default()


@setup_logging.connect
def keep_django_logging(**_: object) -> None:
    """Keep Celery from configuring logging: a receiver of this signal replaces its own set-up."""


@worker_ready.connect
def freeze_gc(**_: object) -> None:
    """Reduce garbage collection once everything is loaded."""
    bootstrap.freeze_gc()
