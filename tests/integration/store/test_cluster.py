"""All acts on a server that refuses a script which touches more than one slot."""

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
from tests.integration.store.test_round_trips import all_acts


@pytest.fixture
def cluster(tmp_path: Path, settings: Settings) -> Iterator[RedisServer]:
    """One node that owns all slots."""
    with closing(RedisServer(tmp_path, "--cluster-enabled", "yes").start()) as server:
        untyped: Any = server.redis
        untyped.execute_command("CLUSTER ADDSLOTSRANGE", 0, 16383)
        wait_until(lambda: untyped.cluster("INFO")["cluster_state"] == "ok")
        settings.REDIS_URL = server.url
        client.cache_clear()
        yield server


@pytest.mark.usefixtures("cluster")
def test_all_acts_work_on_a_cluster() -> None:
    for act in all_acts(steps.create_session()).values():
        act()
