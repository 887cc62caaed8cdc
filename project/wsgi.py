"""Django over WSGI, for servers like granian and gunicorn; `project.asgi` uses it, too.

Waiting needs ASGI: here `GET /sessions/{id}?wait=` answers at once.
"""

from django.core.handlers.wsgi import WSGIHandler

import celery_app  # noqa: F401  (sets Django up, and is the app that wake-ups are published by)

application = WSGIHandler()
