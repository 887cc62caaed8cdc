"""The queue of a WebSocket's messages."""

import asyncio

from project.server.message_queue import MessageQueue


def test_messages_are_received_in_order_whether_the_reader_waits_or_not() -> None:
    async def receive() -> list[str]:
        queue = MessageQueue()
        assert queue.empty()
        reader = asyncio.create_task(queue.get())
        await asyncio.sleep(0)
        queue.put_nowait("first")
        queue.put_nowait("second")
        received = [await reader, await queue.get()]
        assert queue.empty()
        return received

    assert asyncio.run(receive()) == ["first", "second"]


def test_message_of_a_cancelled_read_is_kept() -> None:
    async def receive() -> str:
        queue = MessageQueue()
        reader = asyncio.create_task(queue.get())
        await asyncio.sleep(0)
        queue.put_nowait("message")
        reader.cancel()
        await asyncio.wait([reader])
        assert reader.cancelled()
        message: str = await queue.get()
        return message

    assert asyncio.run(receive()) == "message"
