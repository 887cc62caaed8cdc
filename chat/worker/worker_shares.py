"""Fair shares of one worker's turns, for models without a concurrency limit.

Few turns stay free for others: while fewer than a quarter are free, a party that has half of them
gets no more. Its turns go back to the session queue, and are tried again when there is room.
"""

from collections import Counter

from chat.domain import LimiterDelay, ModelCaller, WaitReason
from chat.settings import chat_settings

# A party is limited while fewer than this part of the worker's turns are free.
FREE_SHARE = 4
# Turns per second that are tried again without a wake-up. It limits their cost.
RETRIES_PER_SECOND = 50
# Seconds until a turn is tried again: at least, and at most.
MIN_DELAY, MAX_DELAY = 1.0, 10.0
# Sessions that are remembered, to be woken.
MAX_REMEMBERED = 10_000

Party = tuple[str, str]


class WorkerShares:
    """The running calls of this process by party. Only the event loop uses it."""

    def __init__(self) -> None:
        self._running: Counter[Party] = Counter()
        # Sessions whose turns went back, the oldest first.
        self._waiting: dict[str, Party] = {}

    def start(self, caller: ModelCaller) -> LimiterDelay | None:
        """Count a call, unless its party has its share; return the delay in that case."""
        party = _party(caller)
        self._waiting.pop(caller.session_id, None)
        if self._is_above_share(party):
            if len(self._waiting) < MAX_REMEMBERED:
                self._waiting[caller.session_id] = party
            delay = max(MIN_DELAY, min(MAX_DELAY, len(self._waiting) / RETRIES_PER_SECOND))
            return LimiterDelay(seconds=delay, reason=WaitReason.OWN_SHARE)
        self._running[party] += 1
        return None

    def end(self, caller: ModelCaller) -> list[str]:
        """Count the end of a call; return the session to wake, if any may call now."""
        party = _party(caller)
        self._running[party] -= 1
        if not self._running[party]:
            del self._running[party]
        for session_id, each in self._waiting.items():
            if not self._is_above_share(each):
                del self._waiting[session_id]
                return [session_id]
        return []

    def _is_above_share(self, party: Party) -> bool:
        turns = chat_settings.WORKER_CONCURRENCY
        is_full = turns - self._running.total() < turns / FREE_SHARE
        return is_full and self._running[party] >= turns / 2


def _party(caller: ModelCaller) -> Party:
    return caller.party_class, caller.party
