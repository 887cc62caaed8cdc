"""Concurrent requests are batched."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from chat.realtime.batching import MAX_BATCH_SIZE, Batcher


class Doubler:
    """Returns the doubles of numbers when allowed to, and records the batches."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.may_return = threading.Event()

    def __call__(self, requests: Sequence[int]) -> list[int]:
        self.batches.append(list(requests))
        assert self.may_return.wait(10)
        if 13 in requests:
            raise LookupError
        return [2 * each for each in requests]


@pytest.fixture
def doubler() -> Doubler:
    return Doubler()


def test_requests_during_a_batch_join_the_next_one(doubler: Doubler) -> None:
    async def test() -> None:
        batcher = Batcher(doubler)
        tasks = [asyncio.create_task(batcher.load(number)) for number in range(5)]
        await asyncio.sleep(0)
        doubler.may_return.set()
        assert await asyncio.gather(*tasks) == [0, 2, 4, 6, 8]
        assert doubler.batches == [[0], [1, 2, 3, 4]]
        assert await batcher.load(7) == 14

    asyncio.run(test())


def test_batch_size_is_limited(doubler: Doubler) -> None:
    doubler.may_return.set()

    async def test() -> None:
        batcher = Batcher(doubler)
        numbers = range(100, 100 + 2 * MAX_BATCH_SIZE)
        assert await asyncio.gather(*map(batcher.load, numbers)) == [2 * each for each in numbers]
        assert list(map(len, doubler.batches)) == [1, MAX_BATCH_SIZE, MAX_BATCH_SIZE - 1]

    asyncio.run(test())


def test_error_reaches_all_requests_of_its_batch_only(doubler: Doubler) -> None:
    async def test() -> None:
        batcher = Batcher(doubler)
        tasks = [asyncio.create_task(batcher.load(number)) for number in (1, 13, 3)]
        await asyncio.sleep(0)
        doubler.may_return.set()
        first, *others = await asyncio.gather(*tasks, return_exceptions=True)
        assert first == 2
        assert [type(each) for each in others] == [LookupError, LookupError]
        assert await batcher.load(4) == 8

    asyncio.run(test())


def test_cancelled_request_does_not_affect_its_batch(doubler: Doubler) -> None:
    async def test() -> None:
        batcher = Batcher(doubler)
        tasks = [asyncio.create_task(batcher.load(number)) for number in range(4)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        tasks[2].cancel()
        doubler.may_return.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert results[1::2] == [2, 6]

    asyncio.run(test())
