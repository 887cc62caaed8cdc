"""Publishing wake-ups to the broker: messages that tell a worker to run a session's next turn.

Publishing has a short timeout and may fail. Redis's `due` set is the truth, and the sweeper
repeats lost wake-ups. Tasks are published by name, so this package does not import them.
"""

from chat.broker.background import wake_in_background
from chat.broker.message import ANSWER_PING, QUEUE, WAKE_UP
from chat.broker.ping import publish_ping, send_and_receive
from chat.broker.publishing import check_server, check_url, wake_session
from chat.broker.queue import build_queue, check_queue, queue_length
from chat.broker.transport import limit_batches

__all__ = [
    "ANSWER_PING",
    "QUEUE",
    "WAKE_UP",
    "build_queue",
    "check_queue",
    "check_server",
    "check_url",
    "limit_batches",
    "publish_ping",
    "queue_length",
    "send_and_receive",
    "wake_in_background",
    "wake_session",
]
