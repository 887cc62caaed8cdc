"""Reads of sessions for polls: small ones on the loop, large ones in a few threads."""

import asyncio

from chat.domain import Caller, Snapshot
from chat.store import snapshots
from chat.store.snapshots import MAX_SMALL_BYTES, TooLarge

# Large snapshots that are read at once: each takes `MAX_PAGE_BYTES` or the largest message, several
# times.
MAX_LARGE_READS = 4
# Sessions that are remembered to be large.
MAX_REMEMBERED = 10_000


class SnapshotReader:
    """Reads for one event loop. A large reply would delay all others on its connection."""

    def __init__(self) -> None:
        self._large_reads = asyncio.Semaphore(MAX_LARGE_READS)
        # Ids of sessions whose latest snapshot was large; the next one is probably large, too.
        self._large: set[str] = set()

    async def read(self, caller: Caller, *, known: int, after: int, limit: int) -> Snapshot | None:
        """Return a snapshot, or `None` if the session's seq is still `known`.

        Raises:
            SessionNotFound, SessionExpired, StoreUnavailable
        """
        if caller.session_id not in self._large:
            result = await snapshots.read_small.on_loop(
                caller, known=known, after=after, limit=limit
            )
            if result is not TooLarge.TOO_LARGE:
                return result
        async with self._large_reads:
            snapshot = await asyncio.to_thread(
                snapshots.read_if_changed, caller, known=known, after=after, limit=limit
            )
        if snapshot is not None:
            self._remember(snapshot)
        return snapshot

    def _remember(self, snapshot: Snapshot) -> None:
        if len(self._large) >= MAX_REMEMBERED:
            self._large.clear()
        if sum(map(len, snapshot.messages)) > MAX_SMALL_BYTES:
            self._large.add(snapshot.id)
        else:
            self._large.discard(snapshot.id)


_readers: dict[asyncio.AbstractEventLoop, SnapshotReader] = {}


def snapshot_reader() -> SnapshotReader:
    """Return the reader of the running event loop."""
    loop = asyncio.get_running_loop()
    return _readers.get(loop) or _readers.setdefault(loop, SnapshotReader())
