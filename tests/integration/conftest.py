"""API keys of the shared stack."""

from collections.abc import Callable

import pytest
from pytest_django import Settings

from chat.accounts import api_keys
from chat.domain import Scope
from chat.store.client import client as store_client
from tests.harness.stack import Stack


@pytest.fixture
def new_key(stack: Stack, settings: Settings) -> Callable[..., str]:
    """Return a function that creates an API key of a tenant."""
    settings.REDIS_URL = stack.redis.url
    store_client.cache_clear()  # tests before may have used another Redis

    def create(tenant: str = "", scopes: tuple[str, ...] = (Scope.SESSIONS,)) -> str:
        text, _ = api_keys.create(name="test", tenant=tenant, scopes=scopes)
        return text

    return create


@pytest.fixture
def api_key(new_key: Callable[..., str]) -> str:
    return new_key()
