"""The store's server, without a Celery worker."""

from tests.integration.store.conftest import redis, server

__all__ = ["redis", "server"]
