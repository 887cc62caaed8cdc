"""Fair shares of one worker's turns."""

import pytest
from pytest_django import Settings

from chat.domain import ModelCaller, WaitReason
from chat.worker.worker_shares import WorkerShares


def caller(party: str, number: int) -> ModelCaller:
    return ModelCaller("anon", party, party, f"ses_{party}_{number}")


@pytest.fixture
def shares(settings: Settings) -> WorkerShares:
    settings.CHAT_WORKER_CONCURRENCY = 8
    return WorkerShares()


@pytest.mark.security("S46")
def test_party_leaves_turns_for_others(shares: WorkerShares) -> None:
    started = [shares.start(caller("many", number)) is None for number in range(10)]
    assert started == [True] * 7 + [False] * 3
    assert shares.start(caller("other", 0)) is None


def test_turn_that_went_back_is_woken_when_there_is_room(shares: WorkerShares) -> None:
    for number in range(7):
        shares.start(caller("many", number))
    delay = shares.start(caller("many", 7))
    assert delay
    assert (delay.seconds, delay.reason) == (1.0, WaitReason.OWN_SHARE)
    assert shares.start(caller("many", 8))
    assert shares.end(caller("many", 0)) == ["ses_many_7"]
    assert shares.start(caller("many", 7)) is None
    assert shares.end(caller("many", 1)) == ["ses_many_8"]
    assert shares.end(caller("many", 2)) == []


def test_delay_grows_with_the_turns_that_went_back(shares: WorkerShares) -> None:
    for number in range(7):
        shares.start(caller("many", number))
    delays = [shares.start(caller("many", 10 + number)) for number in range(600)]
    assert [each.seconds for each in (delays[0], delays[199], delays[-1]) if each] == [1, 4, 10]
