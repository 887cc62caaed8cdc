"""The ASGI application: `python -m project.server.main project.asgi:application`."""

from django.utils.module_loading import import_string

import celery_app  # noqa: F401  (sets Django up; Parley publishes through its app)
from project import bootstrap

# Imported by their paths, because they import Django's apps, which are ready only now.
import_string("chat.operations.health.exit_on_wrong_servers")()
application = import_string("project.server.application.application")
import_string("chat.pages.views.prepare")()
bootstrap.freeze_gc()
