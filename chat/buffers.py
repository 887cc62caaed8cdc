"""The bytes that a process buffers for all clients that send or read slowly, and their limit."""

import logging
from collections.abc import Callable

from chat.domain.rates import RateLimiter
from chat.settings import chat_settings

logger = logging.getLogger(__name__)


class Buffer:
    """What is buffered for one request, connection or subscriber.

    Args:
        owner: the client's address, or another name under which its buffers are added up.
        measure: returns the current size in bytes.
        drop: frees the bytes. It is called at most once; the buffer is no longer counted then.
    """

    __slots__ = ("drop", "measure", "owner", "size")

    def __init__(self, owner: str, measure: Callable[[], int], drop: Callable[[], None]) -> None:
        self.owner = owner
        self.measure = measure
        self.drop = drop
        # As counted.
        self.size = 0


class BufferLimit:
    """Counts buffers, and drops some beyond `MAX_TOTAL_BUFFERED_BYTES`.

    It drops the oldest buffer of the owner with the most bytes, and repeats. So a client that holds
    little keeps its buffers, whatever others do. The event loop is the only thread that uses it.
    """

    def __init__(self) -> None:
        # In the order in which they were first counted.
        self._buffers: dict[str, dict[Buffer, None]] = {}
        self._bytes: dict[str, int] = {}
        self.total = 0
        self._log_rate = RateLimiter(per_minute=6, burst=1)

    def count(self, buffer: Buffer) -> None:
        """Count the buffer with its current size; drop buffers, perhaps this one, if needed."""
        self._resize(buffer)
        if self.total > chat_settings.MAX_TOTAL_BUFFERED_BYTES:
            self._shrink()

    def remove(self, buffer: Buffer) -> None:
        """Count the buffer no longer; does nothing if it is not counted."""
        owned = self._buffers.get(buffer.owner, {})
        if buffer not in owned:
            return
        del owned[buffer]
        self._add(buffer, -buffer.size)
        if not owned:
            del self._buffers[buffer.owner], self._bytes[buffer.owner]

    def _resize(self, buffer: Buffer) -> None:
        self._buffers.setdefault(buffer.owner, {})[buffer] = None
        self._add(buffer, buffer.measure() - buffer.size)

    def _add(self, buffer: Buffer, size: int) -> None:
        buffer.size += size
        self._bytes[buffer.owner] = self._bytes.get(buffer.owner, 0) + size
        self.total += size

    def _shrink(self) -> None:
        for owned in self._buffers.values():
            for buffer in owned:
                self._resize(buffer)
        dropped = 0
        while self.total > chat_settings.MAX_TOTAL_BUFFERED_BYTES:
            owner = max(self._bytes, key=self._bytes.__getitem__)
            oldest = next(iter(self._buffers[owner]))
            self.remove(oldest)
            oldest.drop()
            dropped += 1
        if dropped and self._log_rate.allow():
            logger.warning(
                "More than CHAT_MAX_TOTAL_BUFFERED_BYTES are buffered for slow clients;"
                " %d connections were closed.",
                dropped,
            )


buffer_limit = BufferLimit()
