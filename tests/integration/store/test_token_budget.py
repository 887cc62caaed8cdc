"""The token budget of sessions."""

from collections.abc import Callable

import pytest
from pytest_django import Settings
from redis import Redis

from chat.domain import Caller, Charge
from chat.domain.errors import TokenBudgetExceeded
from chat.store import admin, due, keys, leases, sessions
from tests.integration.store import steps
from tests.integration.store.steps import LeaseHolder
from tests.integration.store.time_travel import advance

pytestmark = pytest.mark.security("S24")


@pytest.fixture(autouse=True)
def budget(settings: Settings) -> None:
    settings.CHAT_SESSION_TOKENS_PER_HOUR = 100


def use_tokens(caller: Caller, tokens: int) -> None:
    """Submit and answer a turn that uses this number of tokens."""
    steps.submit(caller)
    writer = LeaseHolder.claim_for(caller)
    leases.finish(
        writer.lease, steps.outcome(), writer.delta("an answer"), charge=Charge(tokens=tokens)
    )


def tokens_used(redis: Redis, caller: Caller) -> int:
    return int(redis.hget(keys.for_session(caller.session_id).session, "tokens_used") or 0)


def test_exceeded_budget_rejects_messages_without_changes(redis: Redis) -> None:
    caller = steps.create_session()
    use_tokens(caller, 99)
    use_tokens(caller, 1)
    before = redis.hgetall(keys.for_session(caller.session_id).session)
    operations: list[Callable[[], object]] = [
        lambda: steps.submit(caller),
        lambda: steps.regenerate(caller, 4),
    ]
    for operation in operations:
        with pytest.raises(TokenBudgetExceeded) as error:
            operation()
        assert 3590 < error.value.retry_after <= 3600
    assert redis.hgetall(keys.for_session(caller.session_id).session) == before
    steps.submit(steps.create_session())


def test_budget_is_renewed_an_hour_after_the_first_token(redis: Redis) -> None:
    caller = steps.create_session(ttl=7200)
    use_tokens(caller, 60)
    advance(redis, caller.session_id, 3000)
    use_tokens(caller, 60)
    advance(redis, caller.session_id, 599)
    with pytest.raises(TokenBudgetExceeded):
        steps.submit(caller)
    advance(redis, caller.session_id, 2)
    use_tokens(caller, 99)
    use_tokens(caller, 1)
    with pytest.raises(TokenBudgetExceeded):
        steps.submit(caller)


def test_attempts_count_once_however_often_sent(redis: Redis, caller: Caller) -> None:
    writer = LeaseHolder.claim_for(caller)
    for _ in range(2):
        leases.retry(writer.lease, steps.retry(), charge=Charge(tokens=30))
    assert tokens_used(redis, caller) == 30
    writer = LeaseHolder.claim_for(caller)
    for _ in range(2):
        leases.finish(writer.lease, steps.outcome(), writer.delta(""), charge=Charge(tokens=40))
    assert tokens_used(redis, caller) == 70


def expire_lease(redis: Redis, caller: Caller) -> None:
    """Let the lease of the running turn expire."""
    advance(redis, caller.session_id, 20)
    due.recover(due.claim_due(), grace=2)


ENDINGS: dict[str, Callable[[Redis, Caller], object]] = {
    "lost": expire_lease,
    "reset": lambda _, caller: sessions.reset(caller),
    "requeued": lambda _, caller: admin.requeue(caller, grace=2),
}


@pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS)
def test_unreported_tokens_are_estimated(
    redis: Redis, end: Callable[[Redis, Caller], object]
) -> None:
    caller = steps.create_session()
    steps.submit(caller, "a question of some length " * 40)
    LeaseHolder.claim_for(caller).append("words " * 100)
    end(redis, caller)
    assert tokens_used(redis, caller) >= (26 * 40 + 6 * 100) / 4
    with pytest.raises(TokenBudgetExceeded):
        steps.submit(caller)


# Commands that a budget might add. Others vary with the minute.
HASH_COMMANDS = ("hget", "hmget", "hset", "hincrby", "hstrlen")


def commands_of_a_turn(redis: Redis) -> dict[str, int]:
    """Return how often the scripts of a turn call each of them."""
    caller = steps.create_session()
    redis.config_resetstat()
    use_tokens(caller, 10)
    stats = redis.info("commandstats")
    return {name: stats.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in HASH_COMMANDS}


def test_budget_needs_no_extra_command(redis: Redis, settings: Settings) -> None:
    settings.CHAT_PARTITIONS = 1  # with more, a submission may sum their queues
    with_budget = commands_of_a_turn(redis)
    settings.CHAT_SESSION_TOKENS_PER_HOUR = 0
    assert commands_of_a_turn(redis) == with_budget
