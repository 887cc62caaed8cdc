"""The WSGI application, for servers such as granian and gunicorn.

Long polls need ASGI: over WSGI, `GET /sessions/{id}?wait=` responds immediately.
"""

from django.core.handlers.wsgi import WSGIHandler

import celery_app  # noqa: F401  (sets Django up; Parley publishes through its app)

application = WSGIHandler()
