"""A stack whose model echoes, shared by the tests of the tutorial."""

from collections.abc import Iterator

import pytest

from tests.harness.stack import Stack
from tests.integration.tutorial.client import ORIGIN, TutorialClient

ENV = {
    "CORS_ORIGINS": ORIGIN,
    "CHAT_SESSIONS_PER_MINUTE": "0",
    "CHAT_MESSAGES_BURST": "5",
    # A short event log, and many events.
    "CHAT_EVENT_LOG_SIZE": "10",
    "CHAT_FLUSH_INTERVAL": "0.01",
}
MODEL = ("--record", "--style", "echo")


@pytest.fixture(scope="package")
def echo_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Redis, an echoing model, a worker and two web processes."""
    with Stack(tmp_path_factory.mktemp("tutorial"), env=ENV, model_options=MODEL) as stack:
        yield stack.start(webs=2)


@pytest.fixture
def ada(echo_stack: Stack) -> TutorialClient:
    """A user with a new session."""
    user = TutorialClient(echo_stack.web().url)
    user.open_session()
    return user
