"""Celery's consumer, which also survives malformed messages."""

import logging
from collections.abc import Callable
from typing import Any, cast

from celery.worker import consumer

logger = logging.getLogger(__name__)


class Consumer(consumer.Consumer):
    """Rejects messages that would end Celery's own consumer.

    Celery logs the body length of a message that it cannot handle, and looks up tasks by name. If a
    message has neither, the worker would exit and requeue it for the next worker.
    """

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[[Any], None]:
        handle, celery_consumer = super().create_task_handler(*args, **kwargs), cast("Any", self)

        def handle_or_reject(message: Any) -> None:
            try:
                handle(message)
            except (AttributeError, TypeError) as error:
                logger.error("Rejected a malformed message: %s", error)
                message.reject_log_error(logger, celery_consumer.connection_errors)

        return handle_or_reject
