"""Publishing wake-ups to the broker: messages that tell a worker to run a session's next turn.

Publishing has a short timeout and may fail. Redis's `due` set is the truth, and the sweeper
repeats lost wake-ups. Tasks are published by name, so this package does not import them.
"""

from chat.broker.message import QUEUE, WAKE_UP
from chat.broker.publishing import check_url, queue_length, wake_session

__all__ = ["QUEUE", "WAKE_UP", "check_url", "queue_length", "wake_session"]
