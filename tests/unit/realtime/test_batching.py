"""Concurrent requests are batched."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from chat.realtime.batching import MAX_BATCH_SIZE, Batcher


class Oracle:
    """Returns the doubles of numbers when allowed to, and records the batches."""

    def __init__(self) -> None:
        self.trips: list[list[int]] = []
        self.may_answer = threading.Event()

    def __call__(self, questions: Sequence[int]) -> list[int]:
        self.trips.append(list(questions))
        assert self.may_answer.wait(10)
        if 13 in questions:
            raise LookupError
        return [2 * each for each in questions]


@pytest.fixture
def oracle() -> Oracle:
    return Oracle()


def test_requests_during_a_batch_join_the_next_one(oracle: Oracle) -> None:
    async def test() -> None:
        gathering = Batcher(oracle)
        asked = [asyncio.create_task(gathering.load(number)) for number in range(5)]
        await asyncio.sleep(0)
        oracle.may_answer.set()
        assert await asyncio.gather(*asked) == [0, 2, 4, 6, 8]
        assert oracle.trips == [[0], [1, 2, 3, 4]]
        assert await gathering.load(7) == 14

    asyncio.run(test())


def test_batch_size_is_limited(oracle: Oracle) -> None:
    oracle.may_answer.set()

    async def test() -> None:
        gathering = Batcher(oracle)
        numbers = range(100, 100 + 2 * MAX_BATCH_SIZE)
        assert await asyncio.gather(*map(gathering.load, numbers)) == [2 * each for each in numbers]
        assert list(map(len, oracle.trips)) == [1, MAX_BATCH_SIZE, MAX_BATCH_SIZE - 1]

    asyncio.run(test())


def test_error_reaches_all_requests_of_its_batch_only(oracle: Oracle) -> None:
    async def test() -> None:
        gathering = Batcher(oracle)
        asked = [asyncio.create_task(gathering.load(number)) for number in (1, 13, 3)]
        await asyncio.sleep(0)
        oracle.may_answer.set()
        first, *others = await asyncio.gather(*asked, return_exceptions=True)
        assert first == 2
        assert [type(each) for each in others] == [LookupError, LookupError]
        assert await gathering.load(4) == 8

    asyncio.run(test())


def test_cancelled_request_does_not_affect_its_batch(oracle: Oracle) -> None:
    async def test() -> None:
        gathering = Batcher(oracle)
        asked = [asyncio.create_task(gathering.load(number)) for number in range(4)]
        await asyncio.sleep(0)
        asked[0].cancel()
        asked[2].cancel()
        oracle.may_answer.set()
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert answers[1::2] == [2, 6]

    asyncio.run(test())
