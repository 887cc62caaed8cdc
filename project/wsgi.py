"""The WSGI application, for servers such as granian and gunicorn.

Long polls need ASGI: over WSGI, `GET /sessions/{id}?wait=` responds immediately.
"""

from django.core.handlers.wsgi import WSGIHandler
from django.utils.module_loading import import_string

import celery_app  # noqa: F401  (sets Django up; Parley publishes through its app)

# By path: it needs Django's settings, which are ready only now.
import_string("chat.operations.health.exit_on_wrong_servers")()
application = WSGIHandler()
