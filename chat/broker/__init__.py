"""Telling a worker, through the broker, that a session wants one.

A wake-up is best effort and bounded in time: Redis's `due` set is the truth, and a sweep makes up
for one that is lost. Tasks are published by name, so nothing here imports them.
"""

from chat.broker.message import QUEUE, TAKE_TURN
from chat.broker.publishing import check_url, queue_length, wake_session

__all__ = ["QUEUE", "TAKE_TURN", "check_url", "queue_length", "wake_session"]
