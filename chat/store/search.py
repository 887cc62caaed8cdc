"""Sessions by status, model and name: what staff look for among all of them.

No index is ordered by these, so the partitions are looked through, in steps that each hold Redis up
for some ms; others are served between two of them. Those of a model, and the idle ones, are counted
without that, within a span of time by those outside it if these are fewer, and their newest found
soon. A page further back takes the moments of activity of all
that is found, and then those of the span of time that it covers (figures: docs/performance.md).
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import NamedTuple

import orjson

from chat.settings import chat_settings
from chat.store import keys, listing
from chat.store.client import client, map_errors
from chat.store.listing import ANY_TIME, SessionSummary, TimeRange
from chat.store.scripts import ScriptCall, read_script, run_pipeline, run_script

SCAN_SIZE = 7000
"""Sessions that one step looks at: some ms of Redis, and what Lua can unpack (8,000)."""
ID_PREFIX = re.compile("ses_[0-9a-f]{1,24}")
GLOB_CHARACTERS = re.compile(r"[*?\[\]\\^-]")
"""What means something in a pattern of Redis's."""
NEWEST_IDS = 100
"""Ids that are taken at first, of each partition: two pages of the list."""
UNORDERED_STATUSES = {"running", "waiting"}
"""Statuses that have a list of their own, which is in another order."""
NO_LIMIT = 2**53
"""More sessions than there are, and ms since the epoch that will not come."""


def normalize_name(text: str) -> str:
    """Return `text` as names are compared: case-folded, NFKC, with single spaces."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.split())


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFilter:
    """What is looked for; what is empty lets every session through."""

    text: str = ""
    """The beginning of an id, with its `ses_`, or else a part of a name. No pattern."""
    status: str = ""
    """`running`, `waiting` or `idle`."""
    model: str = ""
    """Name of the model that the session uses."""
    time_range: TimeRange = ANY_TIME
    """Of the last activity."""

    def matches(self, summary: SessionSummary) -> bool:
        """Tell whether the session is one of those that are looked for."""
        return (
            self.status in {"", summary.status}
            and self.model in {"", orjson.loads(summary.model)}
            and self.time_range.contains(summary.last_active_at)
            and summary.id.startswith(self.id_prefix)
            and self.name_part in normalize_name(orjson.loads(summary.name))
        )

    @property
    def id_prefix(self) -> str:
        """The beginning of an id, if that is what the text is."""
        return self.text if ID_PREFIX.fullmatch(self.text) else ""

    @property
    def name_part(self) -> str:
        """The part of a name, in capitals or not."""
        return "" if self.id_prefix else normalize_name(self.text)

    @property
    def pattern(self) -> str:
        """What Redis compares the lines of model, name and id with; empty if with nothing."""
        if not self.text and not self.model:
            return ""
        model = _escape_glob(_model_json(self).decode()) or "*"
        return f"{model}\n*{_escape_glob(self.name_part)}*\n{_escape_glob(self.id_prefix)}*"

    @property
    def is_countable(self) -> bool:
        """Whether it takes no look at each session to tell how many there are at any time."""
        return self.status in {"", "idle"} and not self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """What is known of the sessions that were looked for."""

    total: int
    newest: Sequence[tuple[float, str]]
    """Last activity, ms since the epoch, and id of the newest ones, the newest first."""
    unindexed: int = 0
    """Sessions whose name and model were never noted: an older version opened them."""

    @classmethod
    def from_summaries(cls, summaries: Iterable[SessionSummary]) -> "SearchResult":
        """Return what is known to be all of it."""
        head = sorted(((1000 * each.last_active_at, each.id) for each in summaries), reverse=True)
        return cls(total=len(head), head=head)


class _Page(NamedTuple):
    count: int
    timestamps: Sequence[float]
    ids: Sequence[str]
    """Of the first ones, if not of all."""

    @property
    def is_complete(self) -> bool:
        """Whether all that was found is given."""
        return len(self.ids) == self.count


def search(wanted: SessionFilter) -> SearchResult:
    """Look for sessions; as many round trips as steps, and three.

    Raises:
        StoreUnavailable
    """
    of_any_time, unknown = _counts(wanted)
    if wanted.is_countable:
        total = _count_by_complement(wanted, of_any_time)
        if total is not None:
            return SearchResult(total=total, newest=_newest(wanted, total), unindexed=unknown)
    steps = _scan(wanted, max_ids=NO_LIMIT if wanted.status in UNORDERED_STATUSES else NEWEST_IDS)
    total = sum(step.count for step in steps)
    if wanted.text and not all(step.is_complete for step in steps):
        # Redis compares names in no order. Where it found many, the newest are found soon.
        steps = _scan(wanted, limit=NEWEST_IDS, max_ids=NEWEST_IDS, by_name=False)
    return SearchResult(total=total, newest=_merge(steps), unindexed=unknown)


def _count_by_complement(wanted: SessionFilter, of_any_time: int) -> int | None:
    """Return how many there are: those of any time less those outside the span.

    `None` if fewer sessions lie within it than outside, so that it takes less to look at them.
    """
    outside = wanted.time_range.complement
    others = sum(map(listing.count, outside)) if of_any_time else 0
    if not others:
        return of_any_time
    if listing.count(wanted.time_range) <= others:
        return None
    looks = (_scan(replace(wanted, span=each), max_ids=0) for each in outside)
    return max(0, of_any_time - sum(step.count for step in chain.from_iterable(looks)))


def _newest(wanted: SessionFilter, total: int) -> list[tuple[float, str]]:
    """Return the newest of those that were counted; all, if they are few."""
    if not total:
        return []
    is_rare = total <= NEWEST_IDS * chat_settings.PARTITIONS
    enough = NO_LIMIT if is_rare else NEWEST_IDS
    return _merge(_scan(wanted, limit=enough, max_ids=enough, by_name=is_rare))


def page(wanted: SessionFilter, found: SearchResult, *, offset: int, limit: int) -> list[str]:
    """Return ids of what was found, those of the latest activity first.

    Raises:
        StoreUnavailable
    """
    if offset + limit <= min(NEWEST_IDS, len(found.newest)) or len(found.newest) >= found.total:
        return [session_id for _, session_id in found.newest[offset : offset + limit]]
    moments = _all_timestamps(wanted)
    last = len(moments) - offset
    covered = moments[max(0, last - limit) : max(0, last)]
    if not covered:
        return []
    # Several may bear the moment of the newest, and some of these belong on the page before.
    newer = len(moments) - bisect_right(moments, covered[-1])
    band = TimeRange(since=covered[0] / 1000, until=(covered[-1] + 1) / 1000)
    within = _merge(_scan(replace(wanted, span=band), by_name=False))
    return [session_id for _, session_id in within[offset - newer :][:limit]]


def _counts(wanted: SessionFilter) -> tuple[int, int]:
    """Return how many there are, for what can be counted, and how many were never noted."""
    told = (wanted.status, _model_json(wanted))
    tags = range(chat_settings.PARTITIONS)
    calls = [
        ScriptCall(read_script("reckon"), (*_index_keys(tag), keys.counts(tag)), told)
        for tag in tags
    ]
    with map_errors():
        answers = run_pipeline(client(), calls)
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
    totals, unknown = zip(*answers, strict=True)
    return sum(totals), sum(unknown)


def _all_timestamps(wanted: SessionFilter) -> list[float]:
    return sorted(
        chain.from_iterable(
            step.timestamps for step in _scan(wanted, max_ids=0, with_timestamps=True)
        )
    )


def _merge(steps: Iterable[_Page]) -> list[tuple[float, str]]:
    """Return moments and ids, the newest first; a step may repeat what one before it gave."""
    pairs = {pair for step in steps for pair in zip(step.timestamps, step.ids, strict=False)}
    return sorted(pairs, reverse=True)


def _scan(
    wanted: SessionFilter,
    *,
    limit: int = NO_LIMIT,
    max_ids: int = NO_LIMIT,
    by_name: bool | None = None,
    with_timestamps: bool = False,
) -> list[_Page]:
    """Look through all partitions; by name where it says so, or else where there is a text."""
    if by_name is None:
        by_name = bool(wanted.text)
    pattern = wanted.pattern if by_name else ""
    look = _Scan(wanted, pattern, limit, max_ids, with_timestamps)
    return [step for tag in range(chat_settings.PARTITIONS) for step in _scan_partition(tag, look)]


class _Scan(NamedTuple):
    """What is asked of each partition."""

    wanted: SessionFilter
    pattern: str
    limit: int
    max_ids: int
    with_timestamps: bool
    """Whether the moments of all are told, or of those alone that are given."""

    def call(self, tag: int, cursor: str, found: int) -> ScriptCall:
        """Return one step of it, after so many were found."""
        wanted, since, until = (
            self.wanted,
            self.wanted.time_range.since or 0,
            self.wanted.time_range.until,
        )
        bounds = (round(1000 * since), NO_LIMIT if until is None else round(1000 * until))
        kind = (
            wanted.status,
            _model_json(wanted),
            wanted.id_prefix,
            wanted.name_part,
            self.pattern,
        )
        most = (self.limit - found, max(0, self.max_ids - found), int(self.with_timestamps))
        return ScriptCall(
            read_script("choose"), _index_keys(tag), (*bounds, cursor, SCAN_SIZE, *kind, *most)
        )


def _scan_partition(tag: int, look: _Scan) -> Iterator[_Page]:
    """Look through a partition until there is enough, a trip a step: others come in between."""
    cursor, found = "0", 0
    while found < look.limit:
        with map_errors():
            next_cursor, seen, moments, *ids = run_script(client(), look.call(tag, cursor, found))
        yield _Page(seen, list(map(float, moments.split())), [each.decode() for each in ids])
        cursor, found = next_cursor.decode(), found + seen
        if cursor == "0":
            break


def _index_keys(tag: int) -> tuple[str, ...]:
    lists = (keys.by_activity, keys.search_fields, keys.running, keys.waiting, keys.search_index)
    return tuple(key(tag) for key in lists)


def _escape_glob(text: str) -> str:
    """Return a pattern of Redis's that is met by this text alone."""
    return GLOB_CHARACTERS.sub(r"\\\g<0>", text)


def _model_json(wanted: SessionFilter) -> bytes:
    return orjson.dumps(wanted.model) if wanted.model else b""
