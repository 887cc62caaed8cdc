"""Parley's Celery app with a visibility timeout that is shorter than a turn."""

from celery_app import app

app.conf.broker_transport_options = {
    **app.conf.broker_transport_options,
    "visibility_timeout": 1,  # seconds
}
