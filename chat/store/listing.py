"""All sessions, by their activity: what staff look through.

The `index` of each partition is ordered by activity; a page is merged of all of them. Where it
begins is found by ranks and counts, so no page reads more than its own neighbourhood, and each
takes a number of round trips that does not grow with the sessions (docs/admin.md has the figures).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chat.settings import chat_settings
from chat.store import keys
from chat.store.client import client, map_errors

SKIP_ROUNDS = 3
"""Times that the place of a page is narrowed down. Sessions spread evenly over the partitions, so
each round leaves about the square root of what it found: after three, a few hundred entries of
10,000,000."""
SCAN_COUNT = 500
"""Sessions that one step of a walk looks at, about."""
FIELDS = (
    *("created_at", "last_active_at", "expires_at", "running_turn", "waiting", "tail"),
    *("first_message", "seq", "attempt", "fence", "lease_until", "worker"),
    *("cancel_requested", "retry_at", "name", "model"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeRange:
    """Bounds of the last activity, seconds since the epoch: since <= t < until."""

    since: float | None = None
    until: float | None = None

    @property
    def min_score(self) -> str:
        """As Redis has it: ms."""
        return "-inf" if self.since is None else str(round(self.since * 1000))

    @property
    def max_score(self) -> str:
        """As Redis has it: ms, exclusive."""
        return "+inf" if self.until is None else f"({round(self.until * 1000)}"

    @property
    def end_score(self) -> str:
        """Where what is too new begins."""
        return "+inf" if self.until is None else str(round(self.until * 1000))

    @property
    def complement(self) -> list["TimeRange"]:
        """All that is not in it."""
        before = [] if self.since is None else [TimeRange(until=self.since)]
        return before + ([] if self.until is None else [TimeRange(since=self.until)])

    def contains(self, moment: float) -> bool:
        """Tell whether the moment is in the span."""
        return (self.since or 0) <= moment < (self.until or float("inf"))


ANY_TIME = TimeRange()


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRow:
    """A session as it stands in a list; times in seconds since the epoch."""

    id: str
    name: bytes
    """JSON, as stored; so is the model."""
    model: bytes
    created_at: float
    last_active_at: float
    expires_at: float
    is_running: bool
    queued_turns: int
    message_count: int
    """Numbers given to messages since the last reset."""
    seq: int
    attempt: int
    """Of the turn at the inbox's head."""
    fence: int
    worker: str
    """Who holds the running turn."""
    lease_expires_at: float
    retry_at: float
    """When the turn at the inbox's head may be tried again; 0 for at once."""
    is_cancelling: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSummary:
    """As much of a session as it takes to choose it."""

    id: str
    last_active_at: float
    """Seconds since the epoch."""
    status: str
    """`running`, `waiting` or `idle`."""
    name: bytes
    """JSON, as stored; so is the model."""
    model: bytes


STATUS_KEYS: Mapping[str, Callable[[int], str]] = {"running": keys.running, "waiting": keys.waiting}
"""The key of the list of those whose status it is, by the partition."""


def count(time_range: TimeRange = ANY_TIME) -> int:
    """Return how many sessions were last active in the span; one round trip.

    Raises:
        StoreUnavailable
    """
    asked = [
        ("ZCOUNT", index, time_range.min_score, time_range.max_score) for index in _activity_keys()
    ]
    return sum(_pipeline(asked))


def page(*, offset: int, limit: int, time_range: TimeRange = ANY_TIME) -> list[str]:
    """Return ids of sessions, those of the latest activity first.

    Raises:
        StoreUnavailable
    """
    starts = [0] * chat_settings.PARTITIONS
    if time_range.until is not None:
        starts = _pipeline(
            [("ZCOUNT", index, time_range.end_score, "+inf") for index in _activity_keys()]
        )
    base, skip = sum(starts), offset
    for _ in range(SKIP_ROUNDS):
        if skip < chat_settings.PARTITIONS:
            break
        starts = _skip_ahead(starts, skip)
        skip = base + offset - sum(starts)
    found = _merge(starts, skip + limit)[skip:]
    lowest = 0.0 if time_range.since is None else time_range.since * 1000
    return [session_id for activity, session_id in found if activity >= lowest]


def scan(time_range: TimeRange = ANY_TIME) -> Iterator[list[str]]:
    """Yield the ids of all sessions last active in the span, some at a time, in no order.

    A session that is there from the first to the last is told of, and none twice, however many
    come, go or are active meanwhile: pages by rank or by activity would miss those that move. Held
    in memory are the ids of one partition.

    Raises:
        StoreUnavailable
    """
    for index in _activity_keys():
        told: set[str] = set()
        cursor = None
        while cursor != 0:
            # While its table is resized, Redis may give an entry twice.
            ((cursor, found),) = _pipeline([("ZSCAN", index, cursor or 0, "COUNT", SCAN_COUNT)])
            cursor = int(cursor)
            ids = [
                member.decode()
                for member, score in _members_and_scores(found)
                if time_range.contains(score / 1000)
            ]
            fresh = [each for each in dict.fromkeys(ids) if each not in told]
            told.update(fresh)
            yield fresh


def _members_and_scores(found: Sequence[Any]) -> Iterator[tuple[bytes, float]]:
    """Return members and scores of a scan, paired by the client or not."""
    if found and isinstance(found[0], (list, tuple)):
        yield from ((member, float(score)) for member, score in found)
    else:
        yield from zip(found[::2], map(float, found[1::2]), strict=True)


def _skip_ahead(starts: Sequence[int], skip: int) -> list[int]:
    """Return ranks, one of each index, at which the reading may begin instead of at `starts`.

    Each index offers its activity `skip / PARTITIONS` ranks further on. What is newer than the
    newest offer is, in each, above that rank, so it is `skip` entries at most in all.
    """
    step = skip // chat_settings.PARTITIONS
    offers = _pipeline(
        [
            ("ZREVRANGE", index, start + step, start + step, "WITHSCORES")
            for index, start in zip(_activity_keys(), starts, strict=True)
        ]
    )
    activities = [offer[0][1] for offer in offers if offer]
    if not activities:
        return list(starts)
    newest = f"({max(activities):.0f}"
    counted = _pipeline([("ZCOUNT", index, newest, "+inf") for index in _activity_keys()])
    # Between two calls sessions move up: a start never moves back.
    return [max(pair) for pair in zip(starts, counted, strict=True)]


def _merge(starts: Sequence[int], limit: int) -> list[tuple[float, str]]:
    """Return activity and id of the first `most` sessions that follow the ranks `starts`."""
    answers = _pipeline(
        [
            ("ZREVRANGE", index, start, start + limit - 1, "WITHSCORES")
            for index, start in zip(_activity_keys(), starts, strict=True)
        ]
    )
    entries = [(float(score), member.decode()) for found in answers for member, score in found]
    return sorted(entries, reverse=True)[:limit]


def oldest(status: str, limit: int) -> list[tuple[float, str]]:
    """Return the sessions that have been `running` or `waiting` longest: since when, and their ids.

    Seconds since the epoch. One round trip.

    Raises:
        StoreUnavailable
    """
    asked = [
        ("ZRANGE", key, 0, limit - 1, "WITHSCORES")
        for key in map(STATUS_KEYS[status], _partitions())
    ]
    found = [
        (float(at) / 1000, member.decode()) for each in _pipeline(asked) for member, at in each
    ]
    return sorted(found)[:limit]


def summaries(session_ids: Sequence[str]) -> list[SessionSummary]:
    """Return those of the sessions that exist, in the order asked; one round trip.

    Raises:
        StoreUnavailable
    """
    fields = ("active", "turn", "waiting", "name", "model")
    answers = _pipeline(
        [("HMGET", keys.for_session(each).session, *fields) for each in session_ids]
    )
    return [
        SessionSummary(
            id=session_id,
            last_active_at=int(active) / 1000,
            status="running" if int(turn or 0) else "waiting" if int(waiting or 0) else "idle",
            name=name,
            model=model,
        )
        for session_id, (active, turn, waiting, name, model) in zip(
            session_ids, answers, strict=True
        )
        if active is not None
    ]


def rows(session_ids: Sequence[str]) -> list[SessionRow]:
    """Return those of the sessions that exist, in the order asked; one round trip.

    Raises:
        StoreUnavailable
    """
    answers = _pipeline(
        [("HMGET", keys.for_session(each).session, *FIELDS) for each in session_ids]
    )
    return [
        _row(session_id, dict(zip(FIELDS, values, strict=True)))
        for session_id, values in zip(session_ids, answers, strict=True)
        if values[0] is not None
    ]


def _row(session_id: str, found: dict[str, Any]) -> SessionRow:
    def number(name: str) -> int:
        return int(found[name] or 0)

    return SessionRow(
        id=session_id,
        name=found["name"],
        model=found["model"],
        created_at=number("created") / 1000,
        last_active_at=number("active") / 1000,
        expires_at=number("expires") / 1000,
        is_running=number("turn") != 0,
        queued_turns=number("waiting"),
        message_count=2 * number("tail") - number("first") + 1,
        seq=number("seq"),
        attempt=number("attempt"),
        fence=number("fence"),
        worker=(found["worker"] or b"").decode(),
        lease_expires_at=number("lease") / 1000,
        retry_at=number("retry_at") / 1000,
        is_cancelling=number("cancel_requested") == 1,
    )


def _activity_keys() -> list[str]:
    return [keys.by_activity(tag) for tag in _partitions()]


def _partitions() -> range:
    return range(chat_settings.PARTITIONS)


def _pipeline(commands: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Send commands that read, all in one round trip."""
    with map_errors():
        pipeline: Any = client().pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        answers: list[Any] = pipeline.execute()
        return answers
