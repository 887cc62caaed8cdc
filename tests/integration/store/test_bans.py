"""The copy of the bans that each process has."""

import time

import pytest
from redis import Redis, ResponseError

from chat.domain.bans import Ban
from chat.store import bans, keys
from tests.harness.wait import wait_until


def test_bans_are_read_again_after_an_error(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bans, "REFRESH_INTERVAL", 0.01)
    copy = bans.BanCopy()
    assert len(copy.current()) == 0
    redis.set(keys.bans(), "of another type")

    def is_failing() -> bool:
        try:
            copy.current()
        except ResponseError:
            return True
        return False

    wait_until(is_failing)
    redis.delete(keys.bans())
    bans.add(Ban(subject="ip:203.0.113.0/24", label="", created_by="", created_at=time.time()))
    wait_until(lambda: len(copy.current()) == 1)
