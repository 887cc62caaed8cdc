"""Searches for sessions are exact on every page, whichever way the scripts find it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from pytest_django import Settings
from redis import Redis

from chat.conversation import session_search
from chat.conversation.session_search import SessionFilter
from chat.domain.bans import Subject
from chat.store import keys
from chat.store.listing import TimeRange
from chat.store.search import query, scan

COUNT = 500
# ms
FIRST = 1_700_000_000_000
# More than the scripts look up one by one.
CODES = [f"code_{number}" for number in range(11)]


@dataclass(frozen=True)
class Stored:
    """A session in Redis."""

    number: int
    id: str
    # ms
    active_at: int

    @property
    def code(self) -> str:
        """Of the reply that failed last; half of the sessions have the first code."""
        return CODES[0] if self.number % 2 else CODES[self.number % 22 // 2]

    @property
    def has_failed(self) -> bool:
        return self.number % 7 > 0

    @property
    def is_rated_down(self) -> bool:
        return self.number % 3 == 0

    @property
    def is_unlisted(self) -> bool:
        return self.number % 5 == 0

    @property
    def is_running(self) -> bool:
        return self.number % 40 == 1

    @property
    def name(self) -> str:
        return f"number {self.number}"

    @property
    def openers(self) -> list[str]:
        """Labels: of one address, one tenant, for half of them an API key; a fifth is unlisted."""
        key = ["key:half"] if self.number % 2 else []
        return ["ip:47f000001", *key, "tenant:all", *(["unlisted"] if self.is_unlisted else [])]

    def store(self, redis: Redis) -> None:
        own = keys.for_session(self.id)
        fields: dict[Any, Any] = {"schema": 2, "created_at": FIRST}
        fields["expires_at"] = 9_999_999_999_999
        texts = {"name": f'"{self.name}"', "model": '"default"', "first_message": 1, "tail": 0}
        redis.hset(own.session, mapping=fields | texts | {"last_active_at": self.active_at})
        redis.expire(own.session, 600)
        redis.zadd(own.by_activity, {self.id: self.active_at})
        redis.hset(own.search_fields, self.id, f'"default"\n{self.name}\n{" ".join(self.openers)}')
        redis.sadd(own.search_index, f'"default"\n{self.name}\n{self.id}')
        redis.hincrby(own.counts, 'model:"default"', 1)
        redis.zadd(own.labels, {f"{opener} {self.id}": 0 for opener in self.openers})
        if self.has_failed:
            redis.zadd(own.labels, {f"failed:{self.code} {self.id}": 0})
        if self.is_rated_down:
            redis.zadd(own.labels, {f"rated:down {self.id}": 0})
        if self.is_running:
            redis.zadd(own.running, {self.id: self.active_at})


NEWEST_FIFTH = TimeRange(since=FIRST / 1000 + COUNT * 4 // 5)
FILTERS: dict[str, tuple[SessionFilter, Callable[[Stored], bool]]] = {
    "failed": (SessionFilter(failed="any"), lambda each: each.has_failed),
    "a frequent code": (
        SessionFilter(failed=CODES[0]),
        lambda each: each.has_failed and each.code == CODES[0],
    ),
    "a rare code": (
        SessionFilter(failed=CODES[3]),
        lambda each: each.has_failed and each.code == CODES[3],
    ),
    "rated": (SessionFilter(rated="down"), lambda each: each.is_rated_down),
    "failed and rated": (
        SessionFilter(failed="any", rated="down"),
        lambda each: each.has_failed and each.is_rated_down,
    ),
    "failed and idle": (
        SessionFilter(failed="any", status="idle"),
        lambda each: each.has_failed and not each.is_running,
    ),
    "failed and running": (
        SessionFilter(failed="any", status="running"),
        lambda each: each.has_failed and each.is_running,
    ),
    "a tenant of all": (
        SessionFilter(openers=(Subject(name="tenant:all", label=""),)),
        lambda _: True,
    ),
    "a network of all": (
        SessionFilter(openers=(Subject(name="ip:127.0.0.0/8", label=""),)),
        lambda _: True,
    ),
    "a tenant of all and failed": (
        SessionFilter(openers=(Subject(name="tenant:all", label=""),), failed="any"),
        lambda each: each.has_failed,
    ),
    "a key of half and a tenant of all": (
        SessionFilter(
            openers=(Subject(name="tenant:all", label=""), Subject(name="key:half", label=""))
        ),
        lambda each: each.number % 2 == 1,
    ),
    "a key of half": (
        SessionFilter(openers=(Subject(name="key:half", label=""),)),
        lambda each: each.number % 2 == 1,
    ),
    "unlisted": (SessionFilter(kind="unlisted"), lambda each: each.is_unlisted),
    "listed": (SessionFilter(kind="listed"), lambda each: not each.is_unlisted),
    "listed, with a name, a key and errors": (
        SessionFilter(
            kind="listed",
            text="7",
            failed="any",
            openers=(Subject(name="key:half", label=""),),
        ),
        lambda each: (
            "7" in each.name and each.has_failed and each.number % 2 == 1 and not each.is_unlisted
        ),
    ),
    "name": (SessionFilter(text="number"), lambda each: True),  # noqa: ARG005
    "part of a name": (SessionFilter(text="7"), lambda each: "7" in each.name),
    "name and idle": (
        SessionFilter(text="number", status="idle"),
        lambda each: not each.is_running,
    ),
    "start of an id": (SessionFilter(text="ses_0"), lambda each: each.id[4] == "0"),
    "name and failed": (
        SessionFilter(text="7", failed=CODES[0]),
        lambda each: "7" in each.name and each.has_failed and each.code == CODES[0],
    ),
}


@pytest.fixture(
    params=[
        "spread",
        "one partition",
        pytest.param("same time", marks=pytest.mark.thorough),
    ]
)
def stored(
    request: pytest.FixtureRequest, redis: Redis, settings: Settings
) -> Iterator[list[Stored]]:
    """Sessions, most recently active first."""
    settings.CHAT_PARTITIONS = 16
    step = 0 if request.param == "same time" else 1000
    digits = 0 if request.param == "one partition" else 40_503
    pipeline = redis.pipeline()
    sessions = [
        Stored(number, f"ses_{number * digits % 65_536:04x}{number:020x}", FIRST + step * number)
        for number in range(COUNT)
    ]
    for each in sessions:
        each.store(pipeline)
    pipeline.execute()
    yield sorted(sessions, key=lambda each: (each.active_at, each.id), reverse=True)
    redis.flushall()


@pytest.mark.parametrize(
    "page_size", [160, pytest.param(scan.PAGE_SIZE, marks=pytest.mark.thorough)]
)
def test_every_page_is_exact(
    stored: list[Stored], page_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Small pages make each scan take many steps.
    monkeypatch.setattr(scan, "PAGE_SIZE", page_size)
    for name, (session_filter, is_match) in FILTERS.items():
        check_pages(name, session_filter, [each for each in stored if is_match(each)])


def test_pages_within_a_time_range_are_exact(stored: list[Stored]) -> None:
    for name, (session_filter, is_match) in FILTERS.items():
        wanted = replace(session_filter, time_range=NEWEST_FIFTH)
        matches = [
            each
            for each in stored
            if is_match(each) and NEWEST_FIFTH.contains(each.active_at / 1000)
        ]
        check_pages(name, wanted, matches)


def check_pages(name: str, session_filter: SessionFilter, expected: list[Stored]) -> None:
    """Compare the first two pages, a far one and the last one."""
    for offset in (0, 50, 150, max(0, len(expected) - 20)):
        found = session_search.search(session_filter, is_far=offset > query.MAX_NEWEST)
        assert len(found) == len(expected), name
        ids = [row.id for row in found.page(offset=offset, limit=50)]
        assert ids == [each.id for each in expected[offset : offset + 50]], (name, offset)


@pytest.mark.usefixtures("stored")
def test_opener_of_all_sessions_needs_no_scan() -> None:
    """Its pages are those of the list of all sessions."""
    for name in ("a tenant of all", "a network of all"):
        assert query.search(FILTERS[name][0], is_far=True).is_everything
    assert not query.search(FILTERS["a key of half"][0], is_far=True).is_everything
