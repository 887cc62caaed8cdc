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

ROUNDS = 3
"""Times that the place of a page is narrowed down. Sessions spread evenly over the partitions, so
each round leaves about the square root of what it found: after three, a few hundred entries of
10,000,000."""
STRIDE = 500
"""Sessions that one step of a walk looks at, about."""
FIELDS = (
    *("created_at", "last_active_at", "expires_at", "running_turn", "waiting", "tail"),
    *("first_message", "seq", "attempt", "fence", "lease_until", "worker"),
    *("cancel_requested", "retry_at", "name", "model"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Bounds of the last activity, seconds since the epoch: since <= t < until."""

    since: float | None = None
    until: float | None = None

    @property
    def lowest(self) -> str:
        """As Redis has it: ms."""
        return "-inf" if self.since is None else str(round(self.since * 1000))

    @property
    def highest(self) -> str:
        """As Redis has it: ms, exclusive."""
        return "+inf" if self.until is None else f"({round(self.until * 1000)}"

    @property
    def beyond(self) -> str:
        """Where what is too new begins."""
        return "+inf" if self.until is None else str(round(self.until * 1000))

    @property
    def others(self) -> list["Span"]:
        """All that is not in it."""
        before = [] if self.since is None else [Span(until=self.since)]
        return before + ([] if self.until is None else [Span(since=self.until)])

    def has(self, moment: float) -> bool:
        """Tell whether the moment is in the span."""
        return (self.since or 0) <= moment < (self.until or float("inf"))


ALWAYS = Span()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A session as it stands in a list; times in seconds since the epoch."""

    id: str
    name: bytes
    """JSON, as stored; so is the model."""
    model: bytes
    created_at: float
    last_active_at: float
    expires_at: float
    running: bool
    waiting: int
    messages: int
    """Numbers given to messages since the last reset."""
    seq: int
    attempt: int
    """Of the turn at the inbox's head."""
    fence: int
    worker: str
    """Who holds the running turn."""
    lease_until: float
    retry_at: float
    """When the turn at the inbox's head may be tried again; 0 for at once."""
    is_cancelling: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """As much of a session as it takes to choose it."""

    id: str
    last_active_at: float
    """Seconds since the epoch."""
    status: str
    """`running`, `waiting` or `idle`."""
    name: bytes
    """JSON, as stored; so is the model."""
    model: bytes


LISTS: Mapping[str, Callable[[int], str]] = {"running": keys.running, "waiting": keys.waiting}
"""The key of the list of those whose status it is, by the partition."""


def count(span: Span = ALWAYS) -> int:
    """Return how many sessions were last active in the span; one round trip.

    Raises:
        StoreUnavailable
    """
    asked = [("ZCOUNT", index, span.lowest, span.highest) for index in _indexes()]
    return sum(_ask(asked))


def page(*, offset: int, limit: int, span: Span = ALWAYS) -> list[str]:
    """Return ids of sessions, those of the latest activity first.

    Raises:
        StoreUnavailable
    """
    starts = [0] * chat_settings.PARTITIONS
    if span.until is not None:
        starts = _ask([("ZCOUNT", index, span.beyond, "+inf") for index in _indexes()])
    base, skip = sum(starts), offset
    for _ in range(ROUNDS):
        if skip < chat_settings.PARTITIONS:
            break
        starts = _narrowed(starts, skip)
        skip = base + offset - sum(starts)
    found = _merged(starts, skip + limit)[skip:]
    lowest = 0.0 if span.since is None else span.since * 1000
    return [session_id for activity, session_id in found if activity >= lowest]


def walk(span: Span = ALWAYS) -> Iterator[list[str]]:
    """Yield the ids of all sessions last active in the span, some at a time, in no order.

    A session that is there from the first to the last is told of, and none twice, however many
    come, go or are active meanwhile: pages by rank or by activity would miss those that move. Held
    in memory are the ids of one partition.

    Raises:
        StoreUnavailable
    """
    for index in _indexes():
        told: set[str] = set()
        cursor = None
        while cursor != 0:
            # While its table is resized, Redis may give an entry twice.
            ((cursor, found),) = _ask([("ZSCAN", index, cursor or 0, "COUNT", STRIDE)])
            cursor = int(cursor)
            ids = [member.decode() for member, score in _pairs(found) if span.has(score / 1000)]
            fresh = [each for each in dict.fromkeys(ids) if each not in told]
            told.update(fresh)
            yield fresh


def _pairs(found: Sequence[Any]) -> Iterator[tuple[bytes, float]]:
    """Return members and scores of a scan, paired by the client or not."""
    if found and isinstance(found[0], (list, tuple)):
        yield from ((member, float(score)) for member, score in found)
    else:
        yield from zip(found[::2], map(float, found[1::2]), strict=True)


def _narrowed(starts: Sequence[int], skip: int) -> list[int]:
    """Return ranks, one of each index, at which the reading may begin instead of at `starts`.

    Each index offers its activity `skip / PARTITIONS` ranks further on. What is newer than the
    newest offer is, in each, above that rank, so it is `skip` entries at most in all.
    """
    step = skip // chat_settings.PARTITIONS
    offers = _ask(
        [
            ("ZREVRANGE", index, start + step, start + step, "WITHSCORES")
            for index, start in zip(_indexes(), starts, strict=True)
        ]
    )
    activities = [offer[0][1] for offer in offers if offer]
    if not activities:
        return list(starts)
    newest = f"({max(activities):.0f}"
    counted = _ask([("ZCOUNT", index, newest, "+inf") for index in _indexes()])
    # Between two calls sessions move up: a start never moves back.
    return [max(pair) for pair in zip(starts, counted, strict=True)]


def _merged(starts: Sequence[int], most: int) -> list[tuple[float, str]]:
    """Return activity and id of the first `most` sessions that follow the ranks `starts`."""
    answers = _ask(
        [
            ("ZREVRANGE", index, start, start + most - 1, "WITHSCORES")
            for index, start in zip(_indexes(), starts, strict=True)
        ]
    )
    entries = [(float(score), member.decode()) for found in answers for member, score in found]
    return sorted(entries, reverse=True)[:most]


def longest(status: str, most: int) -> list[tuple[float, str]]:
    """Return the sessions that have been `running` or `waiting` longest: since when, and their ids.

    Seconds since the epoch. One round trip.

    Raises:
        StoreUnavailable
    """
    asked = [("ZRANGE", key, 0, most - 1, "WITHSCORES") for key in map(LISTS[status], _tags())]
    found = [(float(at) / 1000, member.decode()) for each in _ask(asked) for member, at in each]
    return sorted(found)[:most]


def briefs(session_ids: Sequence[str]) -> list[Brief]:
    """Return those of the sessions that exist, in the order asked; one round trip.

    Raises:
        StoreUnavailable
    """
    fields = ("last_active_at", "running_turn", "waiting", "name", "model")
    answers = _ask([("HMGET", keys.for_session(each).session, *fields) for each in session_ids])
    return [
        Brief(
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


def rows(session_ids: Sequence[str]) -> list[Row]:
    """Return those of the sessions that exist, in the order asked; one round trip.

    Raises:
        StoreUnavailable
    """
    answers = _ask([("HMGET", keys.for_session(each).session, *FIELDS) for each in session_ids])
    return [
        _row(session_id, dict(zip(FIELDS, values, strict=True)))
        for session_id, values in zip(session_ids, answers, strict=True)
        if values[0] is not None
    ]


def _row(session_id: str, found: dict[str, Any]) -> Row:
    def number(name: str) -> int:
        return int(found[name] or 0)

    return Row(
        id=session_id,
        name=found["name"],
        model=found["model"],
        created_at=number("created_at") / 1000,
        last_active_at=number("last_active_at") / 1000,
        expires_at=number("expires_at") / 1000,
        running=number("running_turn") != 0,
        waiting=number("waiting"),
        messages=2 * number("tail") - number("first_message") + 1,
        seq=number("seq"),
        attempt=number("attempt"),
        fence=number("fence"),
        worker=(found["worker"] or b"").decode(),
        lease_until=number("lease_until") / 1000,
        retry_at=number("retry_at") / 1000,
        is_cancelling=number("cancel_requested") == 1,
    )


def _indexes() -> list[str]:
    return [keys.by_activity(tag) for tag in _tags()]


def _tags() -> range:
    return range(chat_settings.PARTITIONS)


def _ask(commands: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Send commands that read, all in one round trip."""
    with map_errors():
        pipeline: Any = client().pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        answers: list[Any] = pipeline.execute()
        return answers
