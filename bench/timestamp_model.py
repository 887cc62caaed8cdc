"""A model whose deltas are the times at which it sends them: `uvicorn bench.timestamp_model:app`.

It sends RATE deltas per second, COUNT per reply, in the chat completions format.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

Message = Mapping[str, Any]
Send = Callable[[Message], Awaitable[None]]

RATE = float(os.environ.get("RATE", "20"))
COUNT = int(os.environ.get("COUNT", "200"))
DELTA = b'data: {"id":"1","choices":[{"index":0,"delta":{"content":"%.4f "},"finish_reason":null}]}'
STOP = b'data: {"id":"1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}'


async def app(scope: Message, receive: Callable[[], Awaitable[Message]], send: Send) -> None:
    """Answer one call."""
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"text/event-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if scope["method"] == "POST":
        await _stream(send)
    await send({"type": "http.response.body", "body": b""})


async def _stream(send: Send) -> None:
    loop = asyncio.get_running_loop()
    started = loop.time()
    for number in range(1, COUNT + 1):
        await asyncio.sleep(started + number / RATE - loop.time())
        await _send_line(send, DELTA % time.time())
    await _send_line(send, STOP)
    await _send_line(send, b"data: [DONE]")


async def _send_line(send: Send, line: bytes) -> None:
    await send({"type": "http.response.body", "body": line + b"\n\n", "more_body": True})
