"""A stack with an echoing model, shared by tests that do not change it."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from chat.accounts import api_keys
from chat.domain import Scope
from chat.store.client import client as store_client
from parley_client import Client
from tests.harness.stack import Stack

ENV = {
    "CHAT_SESSIONS_PER_MINUTE": "0",
    "CHAT_MESSAGES_PER_MINUTE": "0",
    "CHAT_CHANGES_PER_MINUTE": "0",
    "CHAT_MAX_SESSIONS_PER_ADDRESS": "0",
    "CHAT_MAX_BYTES_PER_ADDRESS": "0",
    "CHAT_SSE_HEARTBEAT_INTERVAL": "0.2",
    "CHAT_LEASE_TTL": "1",
    "CHAT_LEASE_RENEWAL_INTERVAL": "0.3",
}
MODEL_OPTIONS = ("--record", "--style", "echo")


@pytest.fixture(scope="package")
def echo_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Redis, an echoing model, a worker and a web process."""
    directory = tmp_path_factory.mktemp("client")
    with Stack(directory, env=ENV, model_options=MODEL_OPTIONS) as stack:
        yield stack.start()


@pytest.fixture
def key(echo_stack: Stack, settings: Settings) -> str:
    settings.REDIS_URL = echo_stack.redis.url
    store_client.cache_clear()
    text, _ = api_keys.create(name="client", tenant="acme", scopes=list(Scope))
    return text


@pytest.fixture
def client(echo_stack: Stack) -> Iterator[Client]:
    """A client of that stack."""
    with Client(echo_stack.web().url) as opened:
        yield opened
