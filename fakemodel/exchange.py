"""One call and its response: what every fault needs, and how a correct reply is sent."""

import random
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from fakemodel.behaviour import Behaviour
from fakemodel.calls import Call
from fakemodel.connection import ClientConnection
from fakemodel.formats.base import Format, Rendering
from fakemodel.replies.reply import Reply

BATCH_SIZE = 64  # tokens per write while the rate is unlimited


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A call, the reply to it, and the connection to send it on."""

    connection: ClientConnection
    call: Call
    format: Format
    behaviour: Behaviour
    reply: Reply
    # The source of the jitter.
    random: random.Random

    def render(self, *, unknown_fields: bool = False) -> Rendering:
        """Return the reply in the call's format, with additional fields if requested."""
        reply_id = f"{self.connection.record.number:08x}"
        return self.format.render(self.call, self.reply, reply_id, unknown_fields=unknown_fields)

    def encode_tokens(self, rendering: Rendering, limit: int | None = None) -> Iterator[bytes]:
        """Yield the bytes of each token, up to `limit` tokens."""
        tokens = self.reply.tokens if limit is None else self.reply.tokens[:limit]
        return (rendering.encode_token(index, token) for index, token in enumerate(tokens))

    def encode_body(self, rendering: Rendering) -> bytes:
        tokens = self.encode_tokens(rendering)
        return b"".join((rendering.head, *tokens, rendering.tail, rendering.terminator))

    @property
    def tokens_before_fault(self) -> int:
        """How many tokens are sent before the fault starts."""
        after = self.behaviour.after
        return len(self.reply.tokens) // 2 if after is None else after

    def with_jitter(self, seconds: float) -> float:
        """Return `seconds` with random variation."""
        jitter = self.behaviour.jitter or 0.0
        return seconds * (1 + jitter * self.random.uniform(-1, 1)) if jitter else seconds


async def send_reply(exchange: Exchange) -> None:
    """Send the reply without a fault."""
    await send_rendering(exchange, exchange.render())


async def send_rendering(exchange: Exchange, rendering: Rendering) -> None:
    """Send the reply as JSON, or as a stream at the rate of the behaviour."""
    connection = exchange.connection
    if not exchange.call.stream:
        await connection.respond(200, rendering.content_type, exchange.encode_body(rendering))
        return
    await connection.start(200, rendering.content_type)
    if not exchange.behaviour.rate and len(exchange.reply.tokens) <= BATCH_SIZE:
        await connection.end(exchange.encode_body(rendering))
        return
    await connection.write(rendering.head)
    await send_paced(exchange, exchange.encode_tokens(rendering))
    await connection.end(rendering.tail + rendering.terminator)


async def send_paced(exchange: Exchange, tokens: Iterable[bytes]) -> None:
    """Send tokens at the rate of the behaviour; tokens that are late are sent together."""
    connection = exchange.connection
    rate = exchange.behaviour.rate if exchange.call.stream else 0
    started, due = time.monotonic(), 0.0
    batch: list[bytes] = []
    for token in tokens:
        wait = due - (time.monotonic() - started) if rate else 0.0
        if batch and (wait > 0 or len(batch) >= BATCH_SIZE):
            await connection.write(b"".join(batch))
            batch.clear()
        await connection.sleep(wait)
        batch.append(token)
        due += exchange.with_jitter(1 / rate) if rate else 0.0
    await connection.write(b"".join(batch))
