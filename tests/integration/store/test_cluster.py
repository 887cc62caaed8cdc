"""All operations on a cluster node, which rejects scripts that touch two slots."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from chat.store.client import client
from tests.harness.wait import wait_until
from tests.integration.store import steps
from tests.integration.store.redis_server import RedisServer
from tests.integration.store.test_round_trips import all_operations


@pytest.fixture
def cluster(tmp_path: Path, settings: Settings) -> Iterator[RedisServer]:
    """One node that owns all slots."""
    with closing(RedisServer(tmp_path, "--cluster-enabled", "yes").start()) as server:
        untyped: Any = server.redis
        untyped.execute_command("CLUSTER ADDSLOTSRANGE", 0, 16383)
        wait_until(lambda: untyped.cluster("INFO")["cluster_state"] == "ok")
        settings.REDIS_URL = f"redis+cluster://127.0.0.1:{server.port}"
        client.cache_clear()
        yield server


@pytest.mark.usefixtures("cluster")
def test_all_operations_work_on_a_cluster() -> None:
    for operation in all_operations(steps.create_session()).values():
        operation()
