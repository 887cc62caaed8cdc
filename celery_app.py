"""The Celery app: `celery -A celery_app worker`."""

import warnings
from importlib import import_module

from celery import Celery
from celery.exceptions import SecurityWarning
from celery.signals import worker_ready
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from project.starting import set_up, settings_told, settle

set_up()
if settings.OTEL_EXPORTER_OTLP_ENDPOINT:
    with settings_told():
        try:
            import_module("project.tracing").start()
        except ModuleNotFoundError as error:
            told = "OTEL_EXPORTER_OTLP_ENDPOINT: sending spans needs the extra parley[tracing]"
            raise ImproperlyConfigured(told) from error

# Six lines for whoever runs it as root, for the sake of pickles; wake-ups are JSON, all else is
# refused (S37).
warnings.filterwarnings("ignore", category=SecurityWarning)
# Without Celery's Django fixup: tasks use no SQL, so there are no connections to tend after each.
app = Celery("parley", fixups=[])
app.config_from_object("project.celery_settings")
# By path: the bootstep is imported when a worker starts, and only there.
app.steps["worker"].add("chat.worker:Pulse")
app.autodiscover_tasks(["chat"])
# Web processes publish from threads of the WSGI pool: there, too, this is the current app.
app.set_default()


@worker_ready.connect
def _settle(**_: object) -> None:
    settle()
