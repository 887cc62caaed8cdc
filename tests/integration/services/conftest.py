"""The store's server, for services that need no worker."""

from tests.integration.store.conftest import redis, server

__all__ = ["redis", "server"]
