"""Quotas of addresses: sessions and bytes are limited, and reservations end with their session."""

import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from pytest_django import Settings
from redis import Redis

from chat.domain import Caller, Identity
from chat.domain.errors import AddressQuotaExceeded
from chat.store import due, keys, quota, sessions
from tests.harness.concurrency import run_concurrently
from tests.harness.redis_cluster import needs_one_server
from tests.integration.store import steps
from tests.integration.store.time_travel import advance

IPV4 = ("192.0.2.1",)
IPV6 = ("2001:db8::/64", "2001:db8::/48")
STEP = quota.FIRST_STEP


def open_session(*addresses: str) -> Caller:
    new = replace(
        steps.new_session(f"ses_{secrets.token_hex(12)}"), identity=Identity(addresses=addresses)
    )
    sessions.create(new)
    return Caller(session_id=new.id, credential=new.token_hash)


def reservations(redis: Any, *addresses: str) -> dict[str, int]:
    """Return the bytes that each session has reserved in the quota of the first address."""
    fields = redis.hgetall(keys.quota(addresses[0], addresses[-1]))
    return {
        name.decode(): int(value.split()[0])
        for name, value in fields.items()
        if name.startswith(b"ses_")
    }


def assert_total_is_exact(redis: Any, *addresses: str) -> None:
    total = redis.hget(keys.quota(addresses[0], addresses[-1]), "total")
    assert int(total or 0) == sum(reservations(redis, *addresses).values())


@pytest.mark.security("S44")
def test_sessions_of_an_address_are_limited(settings: Settings, redis: Redis) -> None:
    settings.CHAT_MAX_SESSIONS_PER_ADDRESS = 3
    opened = [open_session(*IPV4) for _ in range(3)]
    with pytest.raises(AddressQuotaExceeded):
        open_session(*IPV4)
    open_session("192.0.2.2")
    sessions.delete(opened[0])
    open_session(*IPV4)
    assert_total_is_exact(redis, *IPV4)


@pytest.mark.security("S44")
def test_concurrent_sessions_respect_the_limit(settings: Settings) -> None:
    settings.CHAT_MAX_SESSIONS_PER_ADDRESS = 5

    def try_to_open() -> bool:
        try:
            open_session(*IPV4)
        except AddressQuotaExceeded:
            return False
        return True

    assert sum(run_concurrently([try_to_open] * 20)) == 5


@pytest.mark.security("S44")
def test_networks_have_larger_limits(settings: Settings, redis: Redis) -> None:
    """A /48 has 65,536 /64s, and one customer can get all of them."""
    settings.CHAT_MAX_SESSIONS_PER_ADDRESS = 1
    settings.CHAT_NETWORK_LIMIT_FACTOR = 3
    for number in range(3):
        open_session(f"2001:db8:0:{number}::/64", IPV6[1])
    with pytest.raises(AddressQuotaExceeded):
        open_session("2001:db8:0:1::/64", IPV6[1])
    with pytest.raises(AddressQuotaExceeded):
        open_session("2001:db8:0:9::/64", IPV6[1])
    assert len(reservations(redis, IPV6[1])) == 3
    assert reservations(redis, "2001:db8:0:9::/64", IPV6[1]) == {}


GROWTH: dict[str, Callable[[Caller], object]] = {
    "submit": lambda caller: steps.submit(caller, "x" * 2 * STEP),
    "update": lambda caller: sessions.update(
        caller, b"{}", {"system_prompt": b'"%b"' % (b"x" * 2 * STEP)}, None
    ),
    "rate": lambda caller: sessions.set_feedback(
        caller, 2, b'{"rating":"up","comment":"%b"}' % (b"x" * 2 * STEP)
    ),
}


@pytest.mark.security("S44")
@pytest.mark.parametrize("grow", GROWTH.values(), ids=GROWTH)
def test_bytes_of_an_address_are_limited(
    grow: Callable[[Caller], object], settings: Settings, redis: Redis
) -> None:
    settings.CHAT_MAX_BYTES_PER_ADDRESS = 6 * STEP
    first, second = open_session(*IPV4), open_session(*IPV4)
    for caller in (first, second):
        steps.submit(caller)
        steps.answer_next_turn(caller)
    grow(first)
    before = {key: redis.dump(key) for key in redis.scan_iter() if b"quota" not in key}
    with pytest.raises(AddressQuotaExceeded):
        grow(second)
    assert {key: redis.dump(key) for key in redis.scan_iter() if b"quota" not in key} == before
    assert sum(reservations(redis, *IPV4).values()) <= 6 * STEP
    assert_total_is_exact(redis, *IPV4)
    sessions.delete(first)
    grow(second)


def test_session_within_its_reservation_asks_for_no_more(redis: Redis) -> None:
    caller = open_session(*IPV4)
    for _ in range(5):
        steps.submit(caller)
        steps.answer_next_turn(caller)
    assert reservations(redis, *IPV4) == {caller.session_id: STEP}


@pytest.mark.security("S44")
def test_expired_session_releases_its_reservation(redis: Redis) -> None:
    caller = open_session(*IPV6)
    other = open_session(*IPV6)
    advance(redis, caller.session_id, 4000)
    due.recover([caller.session_id], grace=2)
    for addresses in (IPV6, IPV6[1:]):
        assert reservations(redis, *addresses).keys() == {other.session_id}
        assert_total_is_exact(redis, *addresses)
    sessions.delete(other)
    assert not list(redis.scan_iter("*quota*"))


@pytest.mark.security("S44")
def test_audit_finds_sessions_that_ended_unseen(settings: Settings, redis: Any) -> None:
    """Their worker or web process died, or Redis has lost the session."""
    settings.CHAT_MAX_SESSIONS_PER_ADDRESS = 3
    lost, _, _ = (open_session(*IPV4) for _ in range(3))
    sessions.delete(Caller.internal(lost.session_id))
    key = keys.quota(IPV4[0], IPV4[0])
    redis.hset(key, lost.session_id, f"{STEP} 1")
    redis.hincrby(key, "total", STEP)
    open_session(*IPV4)
    assert lost.session_id not in reservations(redis, *IPV4)
    assert_total_is_exact(redis, *IPV4)


def test_audit_spares_sessions_that_are_being_created(settings: Settings, redis: Redis) -> None:
    settings.CHAT_MAX_SESSIONS_PER_ADDRESS = 1
    new = replace(steps.new_session(), identity=Identity(addresses=IPV4))
    new = replace(new, id=f"ses_{new.id}")
    quota.reserve_for(new)
    with pytest.raises(AddressQuotaExceeded):
        open_session(*IPV4)
    sessions.create(new)
    assert len(reservations(redis, *IPV4)) == 1


@needs_one_server
def test_full_quota_is_audited_rarely(settings: Settings, redis: Any) -> None:
    settings.CHAT_MAX_SESSIONS_PER_ADDRESS = 1
    open_session(*IPV4)
    redis.config_resetstat()
    for _ in range(5):
        with pytest.raises(AddressQuotaExceeded):
            open_session(*IPV4)
    assert redis.info("commandstats")["cmdstat_hkeys"]["calls"] == 1


def test_quotas_can_be_disabled(settings: Settings, redis: Redis) -> None:
    settings.CHAT_MAX_SESSIONS_PER_ADDRESS = settings.CHAT_MAX_BYTES_PER_ADDRESS = 0
    caller = open_session(*IPV4)
    steps.submit(caller, "x" * 4 * STEP)
    assert reservations(redis, *IPV4) == {}
