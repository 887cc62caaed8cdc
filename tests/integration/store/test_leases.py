"""Leases: who may write, repeated writes, and the history of a claim."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from pytest_django import Settings
from redis import Redis

from chat.conversation.context_window import estimate_message, pair_with_replies
from chat.domain import (
    MAX_CONTEXT_MESSAGES,
    Caller,
    Delta,
    FinishResult,
    Identity,
    Lease,
    PastTurn,
    PromptMessage,
    Role,
    Status,
)
from chat.domain.errors import LeaseLost
from chat.settings import chat_settings
from chat.store import due, keys, leases, sessions, turns
from chat.store.client import client
from tests.harness.redis_cluster import needs_one_server
from tests.integration.store import steps
from tests.integration.store.keyspace import rolled_back
from tests.integration.store.proxy import running_proxy
from tests.integration.store.redis_server import RedisServer
from tests.integration.store.steps import LeaseHolder
from tests.integration.store.time_travel import advance


def lose_the_worker(redis: Redis, caller: Caller) -> None:
    advance(redis, caller.session_id, 20)
    due.recover(due.claim_due(), grace=2)


def endings(caller: Caller) -> list[str]:
    """Return the terminal events of the session in order."""
    ends = {f"message.{status}" for status in Status if status.is_terminal}
    log = steps.events(caller)
    return [f"{event['type']} {event['message_id']}" for event in log if event["type"] in ends]


def test_one_of_many_concurrent_claims_gets_the_turn(caller: Caller) -> None:
    with ThreadPoolExecutor(16) as pool:
        claims = list(pool.map(steps.claim, [caller] * 50))
    assert sum(claim is not None for claim in claims) == 1


def test_repeated_claim_returns_the_same_lease(caller: Caller) -> None:
    first, repeated = steps.claim(caller, "n"), steps.claim(caller, "n")
    assert first is not None
    assert repeated is not None
    assert (repeated.lease, repeated.attempt, repeated.history) == (first.lease, 1, first.history)


@pytest.mark.parametrize(
    "identity",
    [Identity(), Identity(tenant="acme", user="a@b", api_key="k1", addresses=("::/64", "::/48"))],
)
def test_claim_says_who_opened_the_session(identity: Identity) -> None:
    new = replace(steps.new_session(), identity=identity)
    sessions.create(new)
    caller = Caller(session_id=new.id, credential=new.token_hash)
    steps.submit(caller)
    claimed = leases.claim(new.id, nonce="n", worker="w", max_tokens=8192)
    assert claimed is not None
    assert (claimed.identity, claimed.owner, claimed.party) == (
        identity,
        identity.owner,
        identity.party,
    )


def test_repeated_claim_after_finish_returns_nothing(caller: Caller) -> None:
    claimed = steps.claim(caller, "n")
    assert claimed is not None
    leases.retry(claimed.lease, steps.retry())
    assert steps.claim(caller, "n") is None
    assert steps.claim(caller) is not None


@needs_one_server
def test_lost_reply_to_finish_stores_one_outcome(
    caller: Caller, server: RedisServer, settings: Settings
) -> None:
    """F03."""
    LeaseHolder.claim_for(caller).finish()  # loads the script
    writer = LeaseHolder.claim_for(caller)
    with running_proxy(server.port) as wire:
        settings.REDIS_URL = wire.url
        client.cache_clear()
        writer.append("said")
        wire.drop_next_reply = True
        writer.finish(" and done")
        assert not wire.drop_next_reply
    assert endings(caller) == ["message.completed msg_2", "message.completed msg_4"]
    assert steps.find_message(caller, "msg_4")["content"] == "said and done"


@needs_one_server
def test_lost_reply_to_submit_stores_one_message(server: RedisServer, settings: Settings) -> None:
    caller = steps.create_session()
    with running_proxy(server.port) as wire:
        settings.REDIS_URL = wire.url
        client.cache_clear()
        steps.submit(steps.create_session())  # loads the script
        wire.drop_next_reply = True
        accepted = turns.submit(caller, steps.submission())
        assert not wire.drop_next_reply
    assert accepted.needs_wake
    assert len(steps.messages(caller)) == 2


def test_late_repeated_finish_changes_nothing(caller: Caller) -> None:
    first = LeaseHolder.claim_for(caller)
    first.finish("one")
    LeaseHolder.claim_for(caller).append("two")
    assert (
        leases.finish(
            first.lease, steps.outcome(), Delta(offset=0, escaped=b"again")
        ).has_queued_turns
        is False
    )
    assert endings(caller) == ["message.completed msg_2"]


def test_worker_that_lost_its_lease_writes_nothing(redis: Redis, caller: Caller) -> None:
    """F04."""
    late = LeaseHolder.claim_for(caller)
    late.append("late")
    lose_the_worker(redis, caller)
    second = LeaseHolder.claim_for(caller)
    second.append("in time")
    before = {key: redis.dump(key) for key in redis.scan_iter()}
    assert isinstance(late.append("!"), LeaseLost)
    assert isinstance(late.renew(), LeaseLost)
    with pytest.raises(LeaseLost):
        late.finish()
    with pytest.raises(LeaseLost):
        late.retry()
    assert {key: redis.dump(key) for key in redis.scan_iter()} == before
    second.finish()
    with pytest.raises(LeaseLost):
        late.finish()
    assert steps.find_message(caller, "msg_2")["content"] == "in time"
    assert endings(caller) == ["message.completed msg_2"]


def test_next_delta_needs_fence_and_nonce(caller: Caller) -> None:
    """A delta that continues the stored text takes a shorter way than others."""
    writer = LeaseHolder.claim_for(caller)
    writer.append("text")
    for other in (replace(writer.lease, fence=7), replace(writer.lease, nonce="other")):
        (result,) = leases.flush([(other, Delta(offset=4, escaped=b"!"))])
        assert isinstance(result, LeaseLost)
    writer.append(" and more")
    assert steps.find_message(caller, "msg_2")["content"] == "text and more"


def test_late_worker_that_was_not_replaced_can_finish(redis: Redis, caller: Caller) -> None:
    late = LeaseHolder.claim_for(caller)
    advance(redis, caller.session_id, 20)
    late.finish("at last")
    assert steps.find_message(caller, "msg_2")["content"] == "at last"


def test_same_nonce_after_recovery_is_another_lease(redis: Redis, caller: Caller) -> None:
    """A claim was sent twice and arrived very late once; the fence distinguishes the leases."""
    early = steps.claim(caller, "n")
    lose_the_worker(redis, caller)
    late = steps.claim(caller, "n")
    assert early is not None
    assert late is not None
    with pytest.raises(LeaseLost):
        leases.finish(early.lease, steps.outcome(), Delta(offset=0, escaped=b"early"))
    assert leases.finish(
        late.lease, steps.outcome(), Delta(offset=0, escaped=b"late")
    ).has_queued_turns


def test_worker_whose_claim_was_lost_in_failover_writes_nothing(
    redis: Redis, caller: Caller
) -> None:
    """F18: the nonce distinguishes leases with the same fence."""
    with rolled_back(redis):
        forgotten = LeaseHolder.claim_for(caller)
    known = LeaseHolder.claim_for(caller)
    assert forgotten.lease.fence == known.lease.fence
    with pytest.raises(LeaseLost):
        forgotten.finish("forgotten")
    known.finish("known")
    assert steps.find_message(caller, "msg_2")["content"] == "known"


def test_repeated_delta_is_appended_once(caller: Caller) -> None:
    writer = LeaseHolder.claim_for(caller)
    for offset, text in (
        (0, b"ab"),
        (0, b"ab"),
        (0, b"abcd"),
        (2, b"cdef"),
        (6, b""),
        (0, b"abcdef"),
    ):
        result = leases.flush([(writer.lease, Delta(offset=offset, escaped=text))])
        assert result == [False]
    assert steps.find_message(caller, "msg_2")["content"] == "abcdef"
    deltas = [event["delta"] for event in steps.events(caller) if event["type"] == "message.delta"]
    assert deltas == ["ab", "cd", "ef"]


def test_delta_after_a_gap_is_rejected(caller: Caller) -> None:
    """A failover may lose an acknowledged delta; a reply must have no gap."""
    writer = LeaseHolder.claim_for(caller)
    gap = Delta(offset=4, escaped=b"efgh")
    assert isinstance(leases.flush([(writer.lease, gap)])[0], LeaseLost)
    with pytest.raises(LeaseLost):
        leases.finish(writer.lease, steps.outcome(), gap)
    assert endings(caller) == []


def test_one_flush_writes_many_turns(redis: Redis, caller: Caller) -> None:
    other = steps.create_session()
    steps.submit(other)
    writer, late, third = (
        LeaseHolder.claim_for(caller),
        LeaseHolder.claim_for(other),
        steps.create_session(),
    )
    lose_the_worker(redis, other)
    turns.cancel(caller, 2)
    answers = leases.flush(
        [
            (writer.lease, writer.delta("text")),
            (late.lease, late.delta("text")),
            (Lease(session_id=third.session_id + "x", fence=1, nonce="n"), None),
        ]
    )
    assert answers[0] is True
    assert [type(result).__name__ for result in answers[1:]] == ["LeaseLost", "SessionGone"]


def test_text_renews_a_lease_only_after_a_third_of_it(redis: Redis, caller: Caller) -> None:
    writer, own = LeaseHolder.claim_for(caller), keys.for_session(caller.session_id)

    def lease_end() -> int:
        ends_at = int(redis.hget(own.session, "lease_until") or 0)
        assert redis.zscore(own.due, caller.session_id) == ends_at
        return ends_at

    claimed = lease_end()
    writer.append("early ")
    assert lease_end() == claimed
    advance(redis, caller.session_id, chat_settings.LEASE_TTL / 2)
    aged = lease_end()
    writer.append("late ")
    assert lease_end() > aged
    advance(redis, caller.session_id, chat_settings.LEASE_TTL * 0.9)
    assert due.claim_due() == []


def test_lease_ends_at_the_deadline_of_the_turn(redis: Redis) -> None:
    caller = steps.create_session()
    steps.submit(caller, deadline=15)
    writer = LeaseHolder.claim_for(caller)
    writer.append("half a ")
    advance(redis, caller.session_id, 9)
    writer.renew()
    advance(redis, caller.session_id, 7)
    assert due.claim_due() == [caller.session_id]
    due.recover([caller.session_id], grace=2)
    reply = steps.find_message(caller, "msg_2")
    assert (reply["status"], reply["content"]) == (Status.INCOMPLETE, "half a ")
    assert reply["error"]["code"] == "deadline_exceeded"


def test_message_that_kills_every_worker_fails(
    redis: Redis, caller: Caller, settings: Settings
) -> None:
    """F27."""
    settings.CHAT_MAX_ATTEMPTS = 3
    for attempt in (1, 2, 3):
        claimed = steps.claim(caller)
        assert claimed is not None
        assert (claimed.reply_id, claimed.attempt) == ("msg_2", attempt)
        lose_the_worker(redis, caller)
    reply = steps.find_message(caller, "msg_2")
    assert (reply["status"], reply["error"]["code"]) == (Status.FAILED, "worker_lost")
    claimed = steps.claim(caller)
    assert claimed is not None
    assert (claimed.reply_id, claimed.attempt) == ("msg_4", 1)


def test_text_of_a_lost_worker_is_deleted(redis: Redis, caller: Caller) -> None:
    """F01 at the store."""
    LeaseHolder.claim_for(caller).append("lost")
    lose_the_worker(redis, caller)
    assert steps.find_message(caller, "msg_2")["content"] == ""
    assert steps.events(caller)[-1]["type"] == "message.restarted"
    LeaseHolder.claim_for(caller).append("found")
    assert steps.find_message(caller, "msg_2")["content"] == "found"


def test_attempts_are_counted_per_turn(caller: Caller) -> None:
    LeaseHolder.claim_for(caller).retry()
    LeaseHolder.claim_for(caller).finish()
    claimed = steps.claim(caller)
    assert claimed is not None
    assert (claimed.reply_id, claimed.attempt) == ("msg_4", 1)


def test_requeue_without_failure_uses_no_attempt(caller: Caller) -> None:
    for _ in range(5):
        LeaseHolder.claim_for(caller).retry(uses_attempt=False)
    claimed = steps.claim(caller)
    assert claimed is not None
    assert claimed.attempt == 1


def test_turn_cannot_be_claimed_before_its_retry(redis: Redis, caller: Caller) -> None:
    LeaseHolder.claim_for(caller).retry(30)
    assert steps.claim(caller) is None
    advance(redis, caller.session_id, 31)
    assert steps.claim(caller) is not None


def test_cancelled_turn_is_not_retried(caller: Caller) -> None:
    writer = LeaseHolder.claim_for(caller)
    writer.append("half")
    assert not turns.cancel(caller, 2).has_ended
    assert writer.retry(30) == FinishResult(has_queued_turns=True)
    reply = steps.find_message(caller, "msg_2")
    assert (reply["status"], reply["content"]) == (Status.CANCELLED, "half")
    assert LeaseHolder.claim_for(caller).reply_id == "msg_4"


def test_history_contains_exactly_the_earlier_turns() -> None:
    caller = steps.create_session(messages=400)
    for turn in range(5):
        steps.submit(caller, f"question {turn}")
        claimed = steps.claim(caller)
        assert claimed is not None
        expected = [f"{kind} {t}" for t in range(turn) for kind in ("question", "answer")]
        assert [message.content for message in claimed.history] == [*expected, f"question {turn}"]
        text = f"answer {turn}".encode()
        leases.finish(claimed.lease, steps.outcome(), Delta(offset=0, escaped=text))


def test_history_excludes_waiting_turns(caller: Caller) -> None:
    claimed = steps.claim(caller)
    assert claimed is not None
    assert [message.content for message in claimed.history] == ["one"]


@pytest.mark.parametrize(("messages", "first"), [(1, 25), (2, 24), (3, 23), (4, 22), (5, 21)])
def test_claim_reads_only_the_history_it_needs(messages: int, first: int) -> None:
    """It reads in steps until it has all complete turns of the context."""
    caller = steps.create_session(messages=messages)
    for _ in range(12):
        steps.submit(caller)
        steps.answer_next_turn(caller)
    steps.submit(caller)
    claimed = steps.claim(caller)
    assert claimed is not None
    assert [message.id for message in claimed.history] == [f"msg_{n}" for n in range(first, 26)]


# Of one and two bytes in UTF-8; with one, two and six characters in JSON.
@pytest.mark.parametrize("text", ["x" * 40, '"\\\n' * 20, "\x01" * 40, "\u00e9" * 20])
@pytest.mark.parametrize("max_tokens", [1, 2_000, 8_000])
def test_claim_reads_as_many_tokens_as_a_model_takes(text: str, max_tokens: int) -> None:
    caller = steps.create_session(messages=MAX_CONTEXT_MESSAGES)
    kinds = [PastTurn(text, text), PastTurn(text, ""), PastTurn("", text)]
    turns.submit(caller, steps.submission(before=kinds * 100))
    claimed = leases.claim(caller.session_id, nonce="n", worker="w", max_tokens=max_tokens)
    assert claimed is not None
    read = [each for pair in pair_with_replies(claimed.history) for each in pair if each.content]
    messages = [PromptMessage(each.role, each.content) for each in read]
    tokens = sum(map(estimate_message, messages))
    assert claimed.has_more is (max_tokens < 8_000)
    assert tokens > max_tokens or not claimed.has_more
    assert tokens <= 2 * max_tokens + 100


def test_claim_reads_a_limited_number_of_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "MAX_NUMBERS", 100)
    caller = steps.create_session(messages=MAX_CONTEXT_MESSAGES)
    turns.submit(caller, steps.submission(before=[PastTurn("", "")] * 100))
    claimed = steps.claim(caller)
    assert claimed is not None
    assert claimed.has_more
    assert len(claimed.history) == 100


def test_edited_and_repeated_turns_do_not_count_twice() -> None:
    caller = steps.create_session(messages=MAX_CONTEXT_MESSAGES)
    text = "x" * 400
    turns.submit(caller, steps.submission("first", before=[PastTurn("oldest", "reply")]))
    steps.answer_next_turn(caller, text)
    for _ in range(10):
        steps.regenerate(caller, 3)
        steps.answer_next_turn(caller, text)
    for number in (3, 25, 27):
        turns.submit(caller, replace(steps.submission(text), replaces=number))
        steps.answer_next_turn(caller, text)
    steps.submit(caller)
    claimed = leases.claim(caller.session_id, nonce="n", worker="w", max_tokens=250)
    assert claimed is not None
    assert claimed.history[0].content == "oldest"
    assert not claimed.has_more


@pytest.mark.parametrize("status", [Status.FAILED, Status.COMPLETED])
def test_empty_replies_do_not_hide_earlier_turns(status: Status) -> None:
    caller = steps.create_session(messages=6)
    for text in ("one", "two", *[""] * 3, "three"):
        steps.submit(caller)
        LeaseHolder.claim_for(caller).finish(text, Status.COMPLETED if text else status)
    steps.submit(caller)
    claimed = steps.claim(caller)
    assert claimed is not None
    replies = [message.content for message in claimed.history if message.role is Role.ASSISTANT]
    assert replies[-5:] == ["two", "", "", "", "three"]


def test_failed_turns_do_not_hide_earlier_turns() -> None:
    caller = steps.create_session(messages=4)
    steps.submit(caller, "my name is Ada")
    steps.answer_next_turn(caller, "noted")
    for _ in range(12):
        steps.submit(caller)
        LeaseHolder.claim_for(caller).finish("", Status.FAILED)
    steps.submit(caller, "who am I?")
    claimed = steps.claim(caller)
    assert claimed is not None
    assert [message.content for message in claimed.history[:2]] == ["my name is Ada", "noted"]


def test_regenerated_replies_do_not_hide_earlier_turns() -> None:
    caller = steps.create_session(messages=5)
    steps.submit(caller, "first")
    steps.answer_next_turn(caller, "one")
    steps.submit(caller, "second")
    steps.answer_next_turn(caller, "two")
    for _ in range(10):
        steps.regenerate(caller, 3)
        steps.answer_next_turn(caller, "another two")
    steps.submit(caller, "third")
    claimed = steps.claim(caller)
    assert claimed is not None
    contents = [message.content for message in claimed.history]
    assert contents[:4] == ["first", "one", "second", "two"]
