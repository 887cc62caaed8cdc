"""A Parley that echoes, for all tests of the client that leave it as they found it."""

from collections.abc import Iterator

import pytest

from parley_client import Client
from tests.harness.stack import Stack

ENV = {
    "CHAT_SESSIONS_PER_MINUTE": "0",
    "CHAT_MESSAGES_PER_MINUTE": "0",
    "CHAT_SSE_HEARTBEAT": "0.2",
    "CHAT_LEASE": "1",
    "CHAT_HEARTBEAT": "0.3",
}
MODEL = ("--record", "--style", "echo")


@pytest.fixture(scope="package")
def echoing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Redis, an echoing model, a worker and a web."""
    stack = Stack(tmp_path_factory.mktemp("client"), env=ENV, model_options=MODEL)
    try:
        yield stack.start()
    finally:
        stack.end()


@pytest.fixture
def client(echoing: Stack) -> Iterator[Client]:
    """A client of it."""
    with Client(echoing.web().url) as opened:
        yield opened
