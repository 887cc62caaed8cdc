"""A small client of Parley: sessions, messages, and replies that are read while they grow.

It needs `requests` and nothing else of Parley::

    from parley_client import Client

    with Client("http://127.0.0.1:8000") as client:
        session = client.open(system_prompt="You are terse.")
        for delta in session.send("Hello!"):
            print(delta, end="", flush=True)
"""

from parley_client.client import Client, Model, Wishes
from parley_client.errors import ParleyError, Refusal, ReplyFailed, Unreachable
from parley_client.messages import Failure, Message, Usage, Wait
from parley_client.reply import Delta, Reply
from parley_client.session import Session

__all__ = [
    "Client",
    "Delta",
    "Failure",
    "Message",
    "Model",
    "ParleyError",
    "Refusal",
    "Reply",
    "ReplyFailed",
    "Session",
    "Unreachable",
    "Usage",
    "Wait",
    "Wishes",
]
