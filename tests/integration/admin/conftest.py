"""Redis, and the admin in this process; the tests take the place of a worker."""

from collections.abc import Callable, Iterator

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.test import Client
from pytest_django import Settings
from redis import Redis

from tests.harness.stack import Stack
from tests.harness.store import empty_store


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Redis for all tests of the admin."""
    with Stack(tmp_path_factory.mktemp("admin")) as stack:
        stack.redis.start()
        yield stack


@pytest.fixture(autouse=True)
def redis(server: Stack, settings: Settings) -> Iterator[Redis]:
    """A client of an empty Redis, which this process's store and broker use."""
    # With a slow hasher, the login rate limit would recover between two attempts.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.BROKER_URL = server.broker_url
    with empty_store(server.redis.url, settings) as raw:
        yield raw


@pytest.fixture
def staff(db: None) -> Callable[..., Client]:  # noqa: ARG001
    """Return a function that logs in a staff user with these permissions on sessions."""

    def log_in(*permissions: str) -> Client:
        user = get_user_model().objects.create_user("-".join(permissions) or "none", is_staff=True)
        names = [f"{name}_session" for name in permissions]
        known = apps.get_model("auth", "Permission").objects
        user.user_permissions.set(known.filter(codename__in=names))
        client = Client()
        client.force_login(user)
        return client

    return log_in


@pytest.fixture
def admin(db: None) -> Client:  # noqa: ARG001
    """A superuser."""
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("admin"))
    return client
