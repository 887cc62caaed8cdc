"""Reads of sessions for polls: small ones in batches, large ones a few at a time."""

import asyncio

from chat.conversation import sessions
from chat.domain import Snapshot
from chat.domain.errors import ParleyError
from chat.realtime.batching import Batcher
from chat.store.sessions import (
    MAX_BATCHED_BYTES,
    Poll,
    PollResult,
    TooLarge,
    snapshots_if_changed,
)

# Large snapshots that are read at once: each takes `MAX_PAGE_BYTES` or the largest message, several
# times.
MAX_LARGE_READS = 4
# Sessions that are remembered to be large.
MAX_REMEMBERED = 10_000


class SnapshotReader:
    """Reads for one event loop."""

    def __init__(self) -> None:
        self._batcher: Batcher[Poll, PollResult] = Batcher(snapshots_if_changed)
        self._large_reads = asyncio.Semaphore(MAX_LARGE_READS)
        # Ids of sessions whose latest snapshot was large. A batch would not return the next one.
        self._large: set[str] = set()

    async def read(self, poll: Poll) -> Snapshot | None:
        """Return a snapshot, or `None` if the session's seq is still `known`.

        Raises:
            SessionNotFound, SessionExpired, StoreUnavailable
        """
        if poll.caller.session_id not in self._large:
            result = await self._batcher.load(poll)
            if isinstance(result, ParleyError):
                raise result
            if result is not TooLarge.TOO_LARGE:
                return result
        return await self._read_large(poll)

    async def _read_large(self, poll: Poll) -> Snapshot | None:
        caller, known, after, limit = poll
        async with self._large_reads:
            snapshot = await asyncio.to_thread(
                sessions.read_if_changed, caller, known=known, after=after, limit=limit
            )
        if snapshot is not None:
            self._remember(snapshot)
        return snapshot

    def _remember(self, snapshot: Snapshot) -> None:
        if len(self._large) >= MAX_REMEMBERED:
            self._large.clear()
        if sum(map(len, snapshot.messages)) > MAX_BATCHED_BYTES:
            self._large.add(snapshot.id)
        else:
            self._large.discard(snapshot.id)


_readers: dict[asyncio.AbstractEventLoop, SnapshotReader] = {}


def snapshot_reader() -> SnapshotReader:
    """Return the reader of the running event loop."""
    loop = asyncio.get_running_loop()
    return _readers.get(loop) or _readers.setdefault(loop, SnapshotReader())
