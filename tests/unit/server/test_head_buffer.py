"""The head of a response, which is sent with the start of its body."""

import asyncio
from collections.abc import Callable

from project.server.head_buffer import HeadBuffer

HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


class Transport:
    """Records what reaches the network, and the close of the connection."""

    def __init__(self) -> None:
        self.packets: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.packets.append(data)

    def close(self) -> None:
        self.packets.append(b"closed")


def packets(act: Callable[[HeadBuffer], None]) -> list[bytes]:
    """Return what is sent by the next iteration of the loop."""
    transport = Transport()

    async def run() -> None:
        act(HeadBuffer(transport, asyncio.get_running_loop(), transport.close))
        await asyncio.sleep(0)

    asyncio.run(run())
    return transport.packets


def test_head_and_body_are_one_packet() -> None:
    def respond(buffer: HeadBuffer) -> None:
        for part in (HEAD, b"one", b"two"):
            buffer.write(part)

    assert packets(respond) == [HEAD + b"one", b"two"]


def test_head_waits_for_one_iteration_only() -> None:
    assert packets(lambda buffer: buffer.write(HEAD)) == [HEAD]


def test_interim_response_is_sent_at_once() -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"

    def respond(buffer: HeadBuffer) -> None:
        for part in (interim, HEAD, b"body"):
            buffer.write(part)

    assert packets(respond) == [interim, HEAD + b"body"]


def test_close_sends_the_head_first() -> None:
    def fail(buffer: HeadBuffer) -> None:
        buffer.write(HEAD)
        buffer.close()

    assert packets(fail) == [HEAD, b"closed"]
