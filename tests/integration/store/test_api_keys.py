"""API keys on a Redis Cluster: two nodes have all of them."""

import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from pytest_django import Settings
from redis.crc import key_slot

from chat.accounts import api_keys as accounts
from chat.domain import ApiKey
from chat.domain.errors import StoreUnavailable
from chat.store import api_keys, keys
from chat.store.client import execute_command
from tests.harness.redis_cluster import Cluster, Node
from tests.harness.wait import wait_until
from tests.integration.store.test_cluster import durable_store

NAMES = (keys.api_keys(), keys.api_keys_duplicate())
UNKNOWN = "ffffffffffff"


@pytest.fixture
def cluster(tmp_path: Path, settings: Settings) -> Iterator[Cluster]:
    with durable_store(tmp_path / "cluster", settings) as cluster:
        yield cluster


def node_of(cluster: Cluster, name: str) -> Node:
    return cluster.master_of(key_slot(name.encode()))


def stored(name: str, key: ApiKey) -> bytes | None:
    found: bytes | None = execute_command("HGET", name, key.id)
    return found


def restart(node: Node, cluster: Cluster) -> None:
    node.start()
    wait_until(cluster.is_ready, within=30)


@pytest.mark.fault("F35")
def test_dead_node_makes_no_api_key_unavailable(cluster: Cluster) -> None:
    text, key = accounts.create(name="shop")
    nodes = [node_of(cluster, name) for name in NAMES]
    assert nodes[0] is not nodes[1]
    for node in nodes:
        node.kill()
        accounts._cache.clear()
        accounts._recorded_uses.clear()
        assert accounts.verify(text) == key
        assert api_keys.find_invalid([key.id]) == set()
        assert api_keys.all_keys() == [key]
        for act in (partial(api_keys.get_many, [UNKNOWN]), partial(accounts.create, name="new")):
            with pytest.raises(StoreUnavailable):
                act()
        restart(node, cluster)


@pytest.mark.fault("F35")
def test_revocation_that_reaches_one_node_is_completed(cluster: Cluster) -> None:
    for name in NAMES:
        _, key = accounts.create(name="shop")
        valid = stored(name, key)
        node = node_of(cluster, name)
        node.kill()
        with pytest.raises(StoreUnavailable):
            accounts.revoke(key.id)
        assert api_keys.find_invalid([key.id]) == {key.id}
        restart(node, cluster)
        assert stored(name, key) == valid
        assert api_keys.find_invalid([key.id]) == {key.id}
        assert stored(NAMES[0], key) == stored(NAMES[1], key) != valid


@pytest.mark.usefixtures("cluster")
def test_keys_of_an_older_version_are_copied() -> None:
    """An older version knows one of the hashes only."""
    _, key = accounts.create(name="shop")
    execute_command("DEL", NAMES[1])
    assert api_keys.get_many([key.id]) == [key]
    assert stored(NAMES[1], key) == stored(NAMES[0], key)
    revoked = replace(key, revoked_at=time.time())
    older = stored(NAMES[0], key)
    api_keys.add(revoked)
    execute_command("HSET", NAMES[1], key.id, older or b"")
    assert api_keys.get_many([key.id]) == [revoked]
    assert stored(NAMES[1], key) == stored(NAMES[0], key) != older
