"""Parley's Celery app, but with a visibility timeout that is over long before a turn is."""

from celery_app import app

app.conf.broker_transport_options = {
    **app.conf.broker_transport_options,
    "visibility_timeout": 1,  # seconds
}
