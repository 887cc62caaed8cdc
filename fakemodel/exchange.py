"""One call being answered: all that a way of answering needs, and the answering done well."""

import random
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from fakemodel.behaviour import Behaviour
from fakemodel.calls import Call
from fakemodel.connection import Line
from fakemodel.formats.sse import Format, Rendering
from fakemodel.replies.reply import Reply

AT_ONCE = 64  # token events put into one write when there is no rate to keep


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A call, the reply chosen for it, and the line to answer on."""

    line: Line
    call: Call
    format: Format
    behaviour: Behaviour
    reply: Reply
    chance: random.Random

    def render(self, *, odd: bool = False) -> Rendering:
        """The reply in the call's format; `odd` adds fields that no client knows."""
        return self.format.render(self.call, self.reply, f"{self.line.entry.number:08x}", odd=odd)

    def pieces(self, rendering: Rendering, first: int | None = None) -> Iterator[bytes]:
        """The bytes of the `first` tokens, or of all."""
        tokens = self.reply.tokens if first is None else self.reply.tokens[:first]
        return (rendering.piece(index, token) for index, token in enumerate(tokens))

    def body(self, rendering: Rendering) -> bytes:
        """The whole reply in bytes."""
        return b"".join((rendering.head, *self.pieces(rendering), rendering.tail, rendering.end))

    @property
    def kept(self) -> int:
        """How many tokens go out before the fault begins."""
        after = self.behaviour.after
        return len(self.reply.tokens) // 2 if after is None else after

    def vary(self, seconds: float) -> float:
        """`seconds`, longer or shorter by chance, as far as the jitter allows."""
        jitter = self.behaviour.jitter or 0.0
        return seconds * (1 + jitter * self.chance.uniform(-1, 1)) if jitter else seconds


async def answer_well(exchange: Exchange) -> None:
    """Answer as a good server does."""
    await send_body(exchange, exchange.render())


async def send_body(exchange: Exchange, rendering: Rendering) -> None:
    """Send the reply: whole, or as a stream at the rate asked for."""
    line = exchange.line
    if not exchange.call.stream:
        await line.respond(200, rendering.content_type, exchange.body(rendering))
        return
    await line.start(200, rendering.content_type)
    if not exchange.behaviour.rate and len(exchange.reply.tokens) <= AT_ONCE:
        await line.end(exchange.body(rendering))
        return
    await line.write(rendering.head)
    await send_pieces(exchange, exchange.pieces(rendering))
    await line.end(rendering.tail + rendering.end)


async def send_pieces(exchange: Exchange, pieces: Iterable[bytes]) -> None:
    """Send pieces at the rate asked for, each when it is due; late ones go out together."""
    line, rate = exchange.line, exchange.behaviour.rate if exchange.call.stream else 0
    begun, due = time.monotonic(), 0.0
    batch: list[bytes] = []
    for piece in pieces:
        early = due - (time.monotonic() - begun) if rate else 0.0
        if batch and (early > 0 or len(batch) >= AT_ONCE):
            await line.write(b"".join(batch))
            batch.clear()
        if early > 0:
            await line.pause(early)
        batch.append(piece)
        due += exchange.vary(1 / rate) if rate else 0.0
    await line.write(b"".join(batch))
