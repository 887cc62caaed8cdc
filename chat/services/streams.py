"""Following a session: async, because it waits.

Reading is the store's ordinary, sync reading, in a thread: it takes well under a millisecond, and
there is one colour of store. Only the hearing of news is async, because it takes no thread.
"""

import asyncio

from chat.domain import Caller, Snapshot
from chat.services import sessions
from chat.store.follow import hub


async def changed(
    caller: Caller, *, after: int, known: int, limit: int, wait: float
) -> Snapshot | None:
    """Return the session once it has changed, or as it is after `wait` seconds.

    after: the seq to which a change is compared, and from which on messages are given; known: the
    seq that the caller has a copy of, which takes the place of `after` in the comparing; after
    `wait` the answer for it is `None`. Either may be -1, for none.

    Raises:
        SessionNotFound, SessionExpired: before or while waiting.
        StoreUnavailable
    """
    until = asyncio.get_running_loop().time() + wait
    compared = known if known >= 0 else after
    # Most calls find something at once; a subscription would cost them more than the reading.
    found = await _read(caller, after=after, known=compared, limit=limit)
    if found is None and wait:
        found = await _follow(caller, after=after, known=compared, limit=limit, until=until)
    if found is None and known < 0:
        found = await _read(caller, after=after, known=-1, limit=limit)
    return found


async def _follow(
    caller: Caller, *, after: int, known: int, limit: int, until: float
) -> Snapshot | None:
    """Read at each word of news until something has changed, or the time has come."""
    now = asyncio.get_running_loop().time
    async with hub().follow(caller.session_id) as news:
        while True:
            found = await _read(caller, after=after, known=known, limit=limit)
            if found is not None or not await news.wait(until - now()):
                return found


async def _read(caller: Caller, *, after: int, known: int, limit: int) -> Snapshot | None:
    return await asyncio.to_thread(
        sessions.read_if_changed, caller, after=after, known=known, limit=limit
    )
