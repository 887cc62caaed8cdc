"""Python client for Parley: sessions, messages and streamed replies.

Its only dependency is `requests`::

    from parley_client import Client

    with Client("http://127.0.0.1:8000") as client:
        session = client.open(system_prompt="You are terse.")
        for delta in session.send("Hello!"):
            print(delta, end="", flush=True)
"""

from parley_client.client import Client, Model, SessionParams, SessionSummary
from parley_client.errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    ParleyError,
    ReplyFailed,
)
from parley_client.messages import ErrorDetail, Feedback, Message, Usage, Wait
from parley_client.reply import Delta, Reply
from parley_client.session import Session

__all__ = [
    "APIConnectionError",
    "APIStatusError",
    "APITimeoutError",
    "Client",
    "Delta",
    "ErrorDetail",
    "Feedback",
    "Message",
    "Model",
    "ParleyError",
    "Reply",
    "ReplyFailed",
    "Session",
    "SessionParams",
    "SessionSummary",
    "Usage",
    "Wait",
]
