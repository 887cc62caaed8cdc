"""The queue of a WebSocket's messages."""

import asyncio

from project.server.message_queue import MessageQueue


async def read(queue: MessageQueue) -> str:
    message: str = await queue.get()
    return message


def test_messages_are_received_in_order_whether_the_reader_waits_or_not() -> None:
    async def receive() -> list[str]:
        queue = MessageQueue()
        assert queue.empty()
        reader = asyncio.create_task(read(queue))
        await asyncio.sleep(0)
        queue.put_nowait("first")
        queue.put_nowait("second")
        received = [await reader, await queue.get()]
        assert queue.empty()
        return received

    assert asyncio.run(receive()) == ["first", "second"]


def test_message_after_a_cancelled_read_is_kept() -> None:
    async def receive() -> str:
        queue = MessageQueue()
        reader = asyncio.create_task(read(queue))
        await asyncio.sleep(0)
        reader.cancel()
        await asyncio.wait([reader])
        queue.put_nowait("message")
        return await read(queue)

    assert asyncio.run(receive()) == "message"
