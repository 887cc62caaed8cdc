"""The Celery app: `celery -A celery_app worker`."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

app = Celery("parley")
app.config_from_object("project.celery_settings")
app.autodiscover_tasks(["chat"])
