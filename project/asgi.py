"""The ASGI application: `python -m project.server.main project.asgi:application`."""

from django.utils.module_loading import import_string

import celery_app  # noqa: F401  (sets Django up; Parley publishes through its app)
from project import bootstrap

# Imported by its path, because it imports Django's apps, which are ready only now.
application = import_string("project.server.application.application")
bootstrap.freeze_gc()
