"""The Celery bootstep that makes a worker ignore SIGHUP."""

from typing import Any

from celery import bootsteps

from project import hangup


class IgnoreHangup(bootsteps.StartStopStep):
    """Replaces Celery's handler, which stops the worker and fails to start it again."""

    def start(self, worker: Any) -> None:  # noqa: ARG002  # Celery's signature
        hangup.ignore()
