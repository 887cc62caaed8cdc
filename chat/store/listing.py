"""All sessions, ordered by their last activity: what staff browse in the admin.

Each partition has a zset ordered by activity; a page merges all of them. Ranks and counts find
where a page starts. So a page reads only entries near it, and the number of round trips does not
grow with the number of sessions (figures in docs/admin.md).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chat.settings import chat_settings
from chat.store import keys, openers
from chat.store.client import execute_commands
from chat.store.routing import Command

# How often `page` skips ahead at most. A round leaves about 1,000 of 50,000 entries to read.
SKIP_ROUNDS = 2
# With fewer entries per partition before the page, it reads them instead.
MAX_READ_PER_PARTITION = 4
# Where a round tries to skip to, as shares of the partitions' candidates, the newest first. If the
# partitions are alike, the first one is not too far. The second one never is.
SKIP_SHARES = (0.4, 0.0)
# The approximate number of sessions per step of a scan.
SCAN_COUNT = 500
# The zset of the sessions with a status, by partition.
STATUS_KEYS: Mapping[str, Callable[[int], str]] = {"running": keys.running, "waiting": keys.waiting}


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeRange:
    """A range of times, since <= t < until, in seconds since the epoch."""

    since: float | None = None
    until: float | None = None

    @property
    def min_score(self) -> str:
        """The lower bound of a zset range, in ms."""
        return "-inf" if self.since is None else str(round(self.since * 1000))

    @property
    def max_score(self) -> str:
        """The upper bound of a zset range, in ms, exclusive."""
        return "+inf" if self.until is None else f"({round(self.until * 1000)}"

    @property
    def end_score(self) -> str:
        """The lower bound of the zset range after this one, in ms."""
        return "+inf" if self.until is None else str(round(self.until * 1000))

    @property
    def complement(self) -> list["TimeRange"]:
        """The ranges before and after this one."""
        before = [] if self.since is None else [TimeRange(until=self.since)]
        return before + ([] if self.until is None else [TimeRange(since=self.until)])

    def contains(self, timestamp: float) -> bool:
        return (self.since or 0) <= timestamp < (self.until or float("inf"))


ANY_TIME = TimeRange()


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSummary:
    """The fields of a session that a filter needs."""

    id: str
    # Seconds since the epoch.
    last_active_at: float
    # `running`, `waiting` or `idle`.
    status: str
    # JSON, as stored.
    name: bytes
    model: bytes
    # Of the reply that failed last, or "".
    error_code: str
    is_rated_down: bool
    # Labels of who has opened it, see `chat.store.openers`.
    openers: Sequence[str]


def count(time_range: TimeRange = ANY_TIME) -> int:
    """Return how many sessions were last active in the time range; one round trip.

    Raises:
        StoreUnavailable
    """
    return sum(
        _pipeline(
            ("ZCOUNT", key, time_range.min_score, time_range.max_score) for key in _activity_keys()
        )
    )


def page(*, offset: int, limit: int, time_range: TimeRange = ANY_TIME) -> list[str]:
    """Return ids of sessions, most recently active first.

    Raises:
        StoreUnavailable
    """
    starts = [0] * chat_settings.PARTITIONS
    if time_range.until is not None:
        starts = _pipeline(
            ("ZCOUNT", key, time_range.end_score, "+inf") for key in _activity_keys()
        )
    base, skip = sum(starts), offset
    for _ in range(SKIP_ROUNDS):
        if skip < MAX_READ_PER_PARTITION * chat_settings.PARTITIONS:
            break
        starts = _skip_ahead(starts, skip)
        skip = base + offset - sum(starts)
    entries = _merge(starts, skip + limit)[skip:]
    min_activity = 0.0 if time_range.since is None else time_range.since * 1000
    return [session_id for activity, session_id in entries if activity >= min_activity]


def scan(time_range: TimeRange = ANY_TIME) -> Iterator[list[str]]:
    """Yield the ids of all sessions last active in the time range, in batches and in no order.

    A session that exists during the whole scan is returned exactly once, even if it or others are
    active in between. Pages by rank or by activity would miss those that move. The ids of one
    partition are held in memory.

    Raises:
        StoreUnavailable
    """
    for key in _activity_keys():
        seen: set[str] = set()
        cursor = None
        while cursor != 0:
            ((cursor, entries),) = _pipeline([("ZSCAN", key, cursor or 0, "COUNT", SCAN_COUNT)])
            cursor = int(cursor)
            ids = (member for member, score in _pairs(entries) if time_range.contains(score / 1000))
            # Redis may return an entry twice while it resizes the hash table.
            new = [session_id for session_id in dict.fromkeys(ids) if session_id not in seen]
            seen.update(new)
            yield new


def _skip_ahead(starts: Sequence[int], skip: int) -> list[int]:
    """Return a rank for each zset at which to start reading instead of at `starts`.

    `skip / PARTITIONS` ranks further on, each zset has some activity: a candidate. In each zset,
    the entries that are newer than a candidate lie before the rank. Together they are about `skip`
    entries for a middle candidate, and at most that many for the newest one. Between the two, the
    time is interpolated.
    """
    step = skip // chat_settings.PARTITIONS
    replies = _pipeline(
        ("ZREVRANGE", key, start + step, start + step, "WITHSCORES")
        for key, start in zip(_activity_keys(), starts, strict=True)
    )
    candidates = sorted((float(entries[1]) for entries in replies if entries), reverse=True)
    if not candidates:
        return list(starts)
    limit = sum(starts) + skip
    middle, newest = (candidates[int(share * len(candidates))] for share in SKIP_SHARES)
    ranks = _ranks(middle, starts)
    if sum(ranks) <= limit:
        return ranks
    too_far, ranks = sum(ranks), _ranks(newest, starts)
    share = (limit - 2 * chat_settings.PARTITIONS - sum(ranks)) / (too_far - sum(ranks))
    between = _ranks(newest + max(0, share) * (middle - newest), starts)
    return between if sum(between) <= limit else ranks


def _ranks(activity: float, starts: Sequence[int]) -> list[int]:
    """Return the rank in each zset of the first entry that is not newer than an activity."""
    counts = _pipeline(("ZCOUNT", key, f"({activity:.0f}", "+inf") for key in _activity_keys())
    # Sessions become active between the calls, but no start may move back.
    return [max(pair) for pair in zip(starts, counts, strict=True)]


def _merge(starts: Sequence[int], limit: int) -> list[tuple[float, str]]:
    """Return activity and id of the first `limit` sessions after the ranks `starts`.

    Of each zset, a few more entries than its share are read, and more of those that may have more
    among the first: two round trips as a rule.
    """
    keys_and_ranks = list(zip(_activity_keys(), starts, strict=True))
    count = min(limit, 4 + 4 * limit // chat_settings.PARTITIONS)
    entries: list[tuple[float, str]] = []
    while keys_and_ranks:
        replies = _pipeline(
            ("ZREVRANGE", key, rank, rank + count - 1, "WITHSCORES") for key, rank in keys_and_ranks
        )
        found = [list(_pairs(reply)) for reply in replies]
        # A session that becomes active in between can appear twice.
        read = ((score, member) for pairs in found for member, score in pairs)
        entries = sorted({*entries, *read}, reverse=True)[:limit]
        last = entries[-1][0] if len(entries) == limit else float("-inf")
        keys_and_ranks = [
            (key, rank + count)
            for (key, rank), pairs in zip(keys_and_ranks, found, strict=True)
            if len(pairs) == count and pairs[-1][1] >= last
        ]
        count = limit
    return entries


def oldest(status: str, limit: int) -> list[tuple[float, str]]:
    """Return the sessions that have been `running` or `waiting` for longest; one round trip.

    Each has the time at which this status began, in seconds since the epoch, and the session's id.

    Raises:
        StoreUnavailable
    """
    replies = _pipeline(
        ("ZRANGE", key, 0, limit - 1, "WITHSCORES")
        for key in map(STATUS_KEYS[status], _partitions())
    )
    entries = [(ms / 1000, member) for reply in replies for member, ms in _pairs(reply)]
    return sorted(entries)[:limit]


def summaries(session_ids: Sequence[str]) -> list[SessionSummary]:
    """Return the sessions that exist, in the given order; one round trip.

    Raises:
        StoreUnavailable
    """
    fields = (
        *("last_active_at", "running_turn", "waiting", "name", "model"),
        *("error_code", "ratings", *openers.FIELDS),
    )
    replies = _pipeline(
        ("HMGET", keys.for_session(session_id).session, *fields) for session_id in session_ids
    )
    return [
        SessionSummary(
            id=session_id,
            last_active_at=int(active) / 1000,
            status="running" if int(turn or 0) else "waiting" if int(waiting or 0) else "idle",
            name=name,
            model=model,
            error_code=(code or b"").decode(),
            is_rated_down=b" down\n" in (ratings or b""),
            openers=openers.labels(*((field or b"").decode() for field in opened_by)),
        )
        for session_id, (active, turn, waiting, name, model, code, ratings, *opened_by) in zip(
            session_ids, replies, strict=True
        )
        if active is not None
    ]


def _activity_keys() -> list[str]:
    return [keys.by_activity(partition) for partition in _partitions()]


def _partitions() -> range:
    return range(chat_settings.PARTITIONS)


def _pipeline(commands: Iterable[Command]) -> list[Any]:
    """Execute read commands in one round trip."""
    return execute_commands(list(commands))


def _pairs(entries: Sequence[bytes]) -> Iterator[tuple[str, float]]:
    """Pair the members and scores of a reply."""
    members, scores = entries[::2], entries[1::2]
    return zip((member.decode() for member in members), map(float, scores), strict=True)
