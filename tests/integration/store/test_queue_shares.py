"""The shares of the queued turns that one party, and all addresses together, may have."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from pytest_django import Settings
from redis import Redis

from chat.domain import Caller, Identity, OnBusy
from chat.domain.errors import OwnerQueueFull, QueueFull
from chat.domain.identity import ADDRESS_PREFIX
from chat.store import admin, due, keys, queue_limit, sessions, turns
from chat.store.queue_limit import queue_limit as shared_limit
from tests.harness.wait import wait_until
from tests.integration.store import keyspace, steps
from tests.integration.store.steps import LeaseHolder
from tests.integration.store.time_travel import advance

ACME = Identity(tenant="acme", api_key="1")
OTHER = Identity(tenant="other", api_key="2")
BATCH = Identity(addresses=("192.0.2.1",))


@pytest.fixture(autouse=True)
def share(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> int:
    """A party may have three of twelve queued turns."""
    settings.CHAT_MAX_QUEUED_TURNS = 12
    settings.CHAT_MAX_TURNS_PER_OWNER = 0
    monkeypatch.setattr(queue_limit, "MIN_SHARE", 1)
    return 3


def session_of(identity: Identity, *, first_byte: str = "00") -> Caller:
    new = replace(steps.new_session(), identity=identity)
    new = replace(new, id=f"ses_{first_byte}{new.id[6:]}")
    sessions.create(new)
    return Caller(session_id=new.id, credential=new.token_hash)


def is_accepted(caller: Caller) -> bool:
    try:
        steps.submit(caller)
    except (OwnerQueueFull, QueueFull):
        return False
    return True


def waiting(redis: Redis) -> dict[str, int]:
    """Return the queued turns of each party."""
    counted = keyspace.read(redis).waiting_by_party
    of_addresses = counted.pop(queue_limit.ALL_ADDRESSES, 0)
    parts = (n for party, n in counted.items() if party.startswith(ADDRESS_PREFIX))
    assert of_addresses == sum(parts)
    return dict(counted)


@pytest.mark.parametrize("identity", [ACME, BATCH], ids=["tenant", "address"])
def test_party_has_at_most_its_share_of_a_partition(
    settings: Settings, redis: Redis, identity: Identity
) -> None:
    settings.CHAT_PARTITIONS = 1
    callers = [session_of(identity) for _ in range(5)]
    assert [is_accepted(caller) for caller in callers] == [True, True, True, False, False]
    assert waiting(redis) == {identity.party: 3}
    with pytest.raises(OwnerQueueFull):
        turns.submit(callers[0], steps.submission(on_busy=OnBusy.INTERRUPT))
    assert is_accepted(session_of(OTHER))
    LeaseHolder.claim_for(callers[0])
    assert is_accepted(callers[3])
    assert waiting(redis) == {identity.party: 3, OTHER.party: 1}


def test_parties_leave_room_for_others(settings: Settings) -> None:
    settings.CHAT_PARTITIONS = 1
    tenants = [replace(ACME, tenant=f"t{n}") for n in range(6)]
    accepted = [sum(is_accepted(session_of(each)) for _ in range(4)) for each in tenants]
    assert accepted == [3, 2, 2, 1, 1, 1]


@pytest.mark.parametrize("partitions", [1, 256])
def test_addresses_together_have_half_of_the_queue(settings: Settings, partitions: int) -> None:
    settings.CHAT_PARTITIONS = partitions
    addresses = [Identity(addresses=(f"192.0.2.{n}",)) for n in range(8)]
    assert sum(is_accepted(session_of(each)) for each in addresses) == 6
    assert is_accepted(session_of(ACME))
    with pytest.raises(QueueFull):
        steps.submit(session_of(addresses[-1]))


def test_users_of_a_tenant_share(settings: Settings) -> None:
    settings.CHAT_PARTITIONS = 1
    users = [replace(ACME, user=name) for name in ("ada", "bob", "eve", "dan")]
    assert [is_accepted(session_of(user)) for user in users] == [True, True, True, False]


def test_party_has_at_most_its_share_of_all_partitions(settings: Settings) -> None:
    settings.CHAT_PARTITIONS = 256
    callers = [session_of(ACME, first_byte=f"{n:02x}") for n in range(5)]
    assert [is_accepted(caller) for caller in callers] == [True, True, True, False, False]
    assert is_accepted(session_of(OTHER, first_byte="03"))
    shared_limit.reset()  # as another web process
    assert not is_accepted(callers[3])
    LeaseHolder.claim_for(callers[0])
    wait_until(lambda: is_accepted(callers[3]))


def test_regenerated_turn_counts(settings: Settings) -> None:
    settings.CHAT_PARTITIONS = 1
    caller = session_of(ACME)
    steps.submit(caller)
    steps.answer_next_turn(caller)
    for _ in range(3):
        steps.submit(session_of(ACME))
    with pytest.raises(OwnerQueueFull):
        steps.regenerate(caller, 2)


def test_repeated_request_counts_once(settings: Settings) -> None:
    settings.CHAT_PARTITIONS = 256
    caller = session_of(ACME)
    for _ in range(5):
        turns.submit(caller, steps.submission(key="k"))
    assert is_accepted(caller)


def test_small_limit_leaves_a_party_its_minimum(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_limit, "MIN_SHARE", 5)
    settings.CHAT_PARTITIONS = 1
    caller = session_of(ACME)
    assert [is_accepted(caller) for _ in range(6)] == [True] * 5 + [False]


def finish_all(caller: Caller) -> None:
    for _ in range(2):
        LeaseHolder.claim_for(caller).finish()


def cancel_all(caller: Caller) -> None:
    for reply in (2, 4):
        turns.cancel(caller, reply)


def cancel_a_retry(caller: Caller) -> None:
    LeaseHolder.claim_for(caller).retry(600)
    cancel_all(caller)


def let_deadlines_pass(caller: Caller, redis: Redis) -> None:
    advance(redis, caller.session_id, 4000)
    due.recover([caller.session_id], grace=2)


def lose_a_worker(caller: Caller, redis: Redis) -> None:
    LeaseHolder.claim_for(caller)
    advance(redis, caller.session_id, 100)
    due.recover([caller.session_id], grace=2)
    finish_all(caller)


ENDINGS: list[Callable[[Caller, Redis], object]] = [
    lambda caller, _: finish_all(caller),
    lambda caller, _: cancel_all(caller),
    lambda caller, _: cancel_a_retry(caller),
    lambda caller, _: sessions.reset(caller),
    lambda caller, _: sessions.delete(caller),
    lambda caller, _: admin.expire(caller),
    let_deadlines_pass,
    lose_a_worker,
]


@pytest.mark.parametrize(
    "end",
    ENDINGS,
    ids=["finish", "cancel", "retry", "reset", "delete", "expire", "deadline", "lost worker"],
)
def test_turns_that_leave_the_queue_are_not_counted(
    settings: Settings, redis: Redis, end: Callable[[Caller, Redis], object]
) -> None:
    """Another party waits, so that the partition's queue is never empty."""
    settings.CHAT_PARTITIONS = 1
    steps.submit(session_of(OTHER))
    caller = session_of(ACME)
    for _ in range(2):
        steps.submit(caller)
    assert waiting(redis) == {ACME.party: 2, OTHER.party: 1}
    end(caller, redis)
    assert waiting(redis) == {OTHER.party: 1}
    assert [is_accepted(session_of(ACME)) for _ in range(4)] == [True, True, True, False]


def test_session_lost_by_its_ttl_is_not_counted(settings: Settings, redis: Redis) -> None:
    settings.CHAT_PARTITIONS = 1
    caller = session_of(ACME)
    steps.submit(caller)
    own = keys.for_session(caller.session_id)
    redis.delete(*own[:6])
    due.recover([caller.session_id], grace=2)
    assert not waiting(redis)


def test_turns_accepted_by_an_older_version_are_not_counted_below_zero(
    settings: Settings, redis: Redis
) -> None:
    settings.CHAT_PARTITIONS = 1
    caller = session_of(ACME)
    for _ in range(2):
        steps.submit(caller)
    redis.delete(keys.waiting_by_party(0))
    finish_all(caller)
    assert not waiting(redis)
    assert [is_accepted(session_of(ACME)) for _ in range(4)] == [True, True, True, False]
