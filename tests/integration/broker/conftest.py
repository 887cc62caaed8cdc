"""The store's server, as a broker."""

from tests.integration.store.conftest import redis, server

__all__ = ["redis", "server"]
