"""Redis, as for the store's tests; no Celery worker."""

from tests.integration.store.conftest import redis, server

__all__ = ["redis", "server"]
