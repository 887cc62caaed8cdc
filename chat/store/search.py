"""Search for sessions by status, model, name and opener.

No index is ordered by these, so a search scans all partitions, page by page. Each page blocks Redis
for a few ms; other commands run between two pages.

Sessions of one model and idle sessions are counted without a scan, and their newest are found soon.
Within a time range they are counted by a scan of the sessions outside it, if these are fewer. A
later page of the results first collects the activity times of all matches. Then it scans the time
range that the page covers (figures: docs/performance.md).
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import NamedTuple

import orjson

from chat.domain.bans import Subject
from chat.settings import chat_settings
from chat.store import keys, listing, openers
from chat.store.listing import ANY_TIME, SessionSummary, TimeRange
from chat.store.openers import LabelRange
from chat.store.routing import Arg
from chat.store.scripts import ScriptCall, execute_all, read_script

# Sessions per round trip: a few ms in Redis, and less than Lua can unpack (8,000).
PAGE_SIZE = 7000
# Partitions that are scanned at the same time, each with its part of a page.
PARTITIONS_PER_TRIP = 16
ID_PREFIX = re.compile("ses_[0-9a-f]{1,24}")
# Characters with a meaning in Redis's glob patterns.
GLOB_CHARACTERS = re.compile(r"[*?\[\]\\^-]")
# Ids that a search returns of each partition: two pages of the admin's list.
MAX_NEWEST = 100
# Any error code.
ANY = "any"
RATED_DOWN = "rated:down"
# Statuses whose sessions have separate zsets, which are not ordered by activity.
UNORDERED_STATUSES = {"running", "waiting"}
# More than there are sessions, or ms since the epoch.
NO_LIMIT = 2**53


def normalize_name(text: str) -> str:
    """Return `text` as names are compared: case-folded, NFKC, with single spaces."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.split())


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFilter:
    """Selects sessions; an empty field selects all."""

    # The start of an id, including `ses_`, or else a part of a name. Not a pattern.
    text: str = ""
    # `running`, `waiting` or `idle`.
    status: str = ""
    model: str = ""
    # The error code of the reply that failed last, or `ANY`.
    failed: str = ""
    # `down`: a reply was rated so.
    rated: str = ""
    # All of them have opened the session, such as a key from an address.
    openers: tuple[Subject, ...] = ()
    # When the session was last active.
    time_range: TimeRange = ANY_TIME

    def matches(self, summary: SessionSummary) -> bool:
        return (
            self.status in {"", summary.status}
            and self.model in {"", orjson.loads(summary.model)}
            and self.failed in {"", summary.error_code, summary.error_code and ANY}
            and (not self.rated or summary.is_rated_down)
            and all(openers.has_opened(each, summary.openers) for each in self.openers)
            and self.time_range.contains(summary.last_active_at)
            and summary.id.startswith(self.id_prefix)
            and self.name_part in normalize_name(orjson.loads(summary.name))
        )

    @property
    def id_prefix(self) -> str:
        """The text, if it is the start of an id."""
        return self.text if ID_PREFIX.fullmatch(self.text) else ""

    @property
    def name_part(self) -> str:
        """The normalized text, if it is not the start of an id."""
        return "" if self.id_prefix else normalize_name(self.text)

    @property
    def model_json(self) -> bytes:
        return orjson.dumps(self.model) if self.model else b""

    @property
    def pattern(self) -> str:
        """A glob pattern for members of the search index, or "" to match all."""
        if not self.text and not self.model:
            return ""
        model = _escape_glob(self.model_json.decode()) or "*"
        return f"{model}\n*{_escape_glob(self.name_part)}*\n{_escape_glob(self.id_prefix)}*"

    @property
    def is_countable(self) -> bool:
        """Redis can count the matches of any time without a scan."""
        return self.status in {"", "idle"} and not self.text and not self.has_label

    @property
    def has_label(self) -> bool:
        return bool(self.failed or self.rated or self.openers)

    @property
    def label_bounds(self) -> list[tuple[str, str]]:
        """The ranges of labels to scan, for ZRANGEBYLEX; see lua/lib/labels.lua.

        A session is in at most one of them. Without any, all sessions are scanned.
        """
        if self.failed == ANY:
            return [("[failed:", "(failed;")]  # ";" is the next character after ":"
        if self.failed or self.rated:
            label = f"failed:{self.failed}" if self.failed else RATED_DOWN
            return [LabelRange(label, label).bounds]
        return [each.bounds for each in openers.ranges(self.openers[0])] if self.openers else []

    @property
    def conditions(self) -> tuple[str, ...]:
        """What sessions with these labels must also fulfil, as scan_sessions.lua takes it."""
        has_other_bounds = self.failed or self.rated
        return (
            RATED_DOWN if self.failed and self.rated else "",
            *(
                " ".join(chain.from_iterable(openers.ranges(each)))
                for each in self.openers[0 if has_other_bounds else 1 :]
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """The number of matches, and the newest of them."""

    total: int
    # Last activity, in ms since the epoch, and id of the newest matches, newest first.
    newest: Sequence[tuple[float, str]]
    # Sessions that the index lacks, or whose openers it lacks: an older version created them.
    unindexed: int = 0
    # All sessions of the time range match.
    is_everything: bool = False
    # Last activities of all matches, oldest first, in ms since the epoch; empty if not read yet.
    timestamps: Sequence[float] = ()

    @classmethod
    def from_summaries(cls, summaries: Iterable[SessionSummary]) -> "SearchResult":
        """Return a result that consists of these sessions."""
        newest = sorted(
            ((1000 * summary.last_active_at, summary.id) for summary in summaries), reverse=True
        )
        return cls(total=len(newest), newest=newest)


class _Page(NamedTuple):
    """Matches in one page of a scan."""

    total: int
    # Last activities of all matches, or only of those in `ids`.
    timestamps: Sequence[float]
    # Ids of all matches, or only of the first ones.
    ids: Sequence[str]

    @property
    def is_complete(self) -> bool:
        return len(self.ids) == self.total


def search(session_filter: SessionFilter, *, is_far: bool = False) -> SearchResult:
    """Search all sessions. It takes one round trip per page of a scan, and three more.

    is_far: a page beyond the newest matches will be read, which needs the times of all matches.

    Raises:
        StoreUnavailable
    """
    total_any_time, unindexed, sessions = _counts(session_filter)
    if session_filter.is_countable and total_any_time == sessions and not unindexed:
        in_range = listing.count(session_filter.time_range)
        return SearchResult(total=in_range, newest=(), is_everything=True)
    if is_far:
        timestamps = _all_timestamps(session_filter)
        return SearchResult(
            total=len(timestamps), newest=(), timestamps=timestamps, unindexed=unindexed
        )
    if session_filter.is_countable:
        total = _count_by_complement(session_filter, total_any_time)
        if total is not None:
            newest = _newest(session_filter, total)
            return SearchResult(total=total, newest=newest, unindexed=unindexed)
    is_unordered = session_filter.status in UNORDERED_STATUSES and not session_filter.has_label
    pages = _scan(session_filter, max_ids=NO_LIMIT if is_unordered else MAX_NEWEST)
    total = sum(page.total for page in pages)
    has_pattern = session_filter.text and not session_filter.has_label
    if has_pattern and not all(page.is_complete for page in pages):
        # The scan by name had no order. As there are many matches, the newest are found soon.
        pages = _scan(session_filter, limit=MAX_NEWEST, max_ids=MAX_NEWEST, by_name=False)
    return SearchResult(total=total, newest=_merge(pages), unindexed=unindexed)


def _count_by_complement(session_filter: SessionFilter, total_any_time: int) -> int | None:
    """Return the number of matches: those of any time, minus those outside the time range.

    Return `None` if more sessions lie outside it than inside: then scanning the inside is faster.
    """
    complement = session_filter.time_range.complement
    outside = sum(map(listing.count, complement)) if total_any_time else 0
    if not outside:
        return total_any_time
    if listing.count(session_filter.time_range) <= outside:
        return None
    scans = (
        _scan(replace(session_filter, time_range=time_range), max_ids=0)
        for time_range in complement
    )
    return max(0, total_any_time - sum(page.total for page in chain.from_iterable(scans)))


def _newest(session_filter: SessionFilter, total: int) -> list[tuple[float, str]]:
    """Return the newest matches, or all if they are few."""
    if not total:
        return []
    are_few = total <= MAX_NEWEST * chat_settings.PARTITIONS
    limit = NO_LIMIT if are_few else MAX_NEWEST
    return _merge(_scan(session_filter, limit=limit, max_ids=limit, by_name=are_few))


def page(
    session_filter: SessionFilter, result: SearchResult, *, offset: int, limit: int
) -> list[str]:
    """Return ids of matches, most recently active first.

    Raises:
        StoreUnavailable
    """
    if result.is_everything:
        return listing.page(offset=offset, limit=limit, time_range=session_filter.time_range)
    newest = result.newest
    if offset + limit <= min(MAX_NEWEST, len(newest)) or len(newest) >= result.total:
        return [session_id for _, session_id in newest[offset : offset + limit]]
    timestamps = result.timestamps or _all_timestamps(session_filter)
    end = len(timestamps) - offset
    covered = timestamps[max(0, end - limit) : max(0, end)]
    if not covered:
        return []
    # Several sessions may share the newest time, and some of these belong to the previous page.
    newer = len(timestamps) - bisect_right(timestamps, covered[-1])
    time_range = TimeRange(since=covered[0] / 1000, until=(covered[-1] + 1) / 1000)
    entries = _merge(_scan(replace(session_filter, time_range=time_range), by_name=False))
    return [session_id for _, session_id in entries[offset - newer :][:limit]]


def _counts(session_filter: SessionFilter) -> tuple[int, int, int]:
    """Return the number of matches of any time, if countable, of unindexed, and of all sessions."""
    has_openers = int(bool(session_filter.openers))
    args = (session_filter.status, session_filter.model_json, has_openers)
    calls = [
        ScriptCall(
            read_script("count_sessions"),
            (*_index_keys(partition), keys.counts(partition)),
            args,
        )
        for partition in range(chat_settings.PARTITIONS)
    ]
    replies = execute_all(calls)
    totals, unindexed, sessions = zip(*replies, strict=True)
    return sum(totals), sum(unindexed), sum(sessions)


def _all_timestamps(session_filter: SessionFilter) -> list[float]:
    pages = _scan(session_filter, max_ids=0, with_timestamps=True)
    return sorted(chain.from_iterable(page.timestamps for page in pages))


def _merge(pages: Iterable[_Page]) -> list[tuple[float, str]]:
    """Return times and ids, newest first; pages may repeat entries of earlier ones."""
    pairs = {pair for page in pages for pair in zip(page.timestamps, page.ids, strict=False)}
    return sorted(pairs, reverse=True)


class _Scan(NamedTuple):
    """What to return of each partition."""

    session_filter: SessionFilter
    pattern: str
    limit: int
    max_ids: int
    with_timestamps: bool
    # A range of labels, or two empty texts.
    bounds: tuple[str, str]

    def call(self, partition: int, cursor: str, count: int) -> ScriptCall:
        """Return the call for the next page, after `count` matches."""
        wanted = self.session_filter
        since, until = wanted.time_range.since or 0, wanted.time_range.until
        args: tuple[Arg, ...] = (
            round(1000 * since),
            NO_LIMIT if until is None else round(1000 * until),
            cursor,
            PAGE_SIZE // min(PARTITIONS_PER_TRIP, chat_settings.PARTITIONS),
            wanted.status,
            wanted.model_json,
            wanted.id_prefix,
            wanted.name_part,
            self.pattern,
            self.limit - count,
            # Each step returns the newest sessions with a label, which are in no order.
            self.max_ids if wanted.has_label else max(0, self.max_ids - count),
            int(self.with_timestamps),
            *self.bounds,
            *wanted.conditions,
        )
        return ScriptCall(read_script("scan_sessions"), _index_keys(partition), args)


def _scan(
    session_filter: SessionFilter,
    *,
    limit: int = NO_LIMIT,
    max_ids: int = NO_LIMIT,
    by_name: bool | None = None,
    with_timestamps: bool = False,
) -> list[_Page]:
    """Scan all partitions.

    limit: of matches per partition, after which its scan ends.
    max_ids: of ids to return per partition.
    by_name: scan the search index instead of the sessions by activity; by default if the
        filter has a text.
    with_timestamps: return the times of all matches, not only of those whose ids are returned.
    """
    if by_name is None:
        by_name = bool(session_filter.text)
    pattern = session_filter.pattern if by_name else ""
    scans = [
        _Scan(session_filter, pattern, limit, max_ids, with_timestamps, bounds)
        for bounds in session_filter.label_bounds or [("", "")]
    ]
    partitions = range(chat_settings.PARTITIONS)
    return [
        page
        for scan in scans
        for first in range(0, len(partitions), PARTITIONS_PER_TRIP)
        for page in _scan_partitions(partitions[first : first + PARTITIONS_PER_TRIP], scan)
    ]


def _scan_partitions(partitions: Iterable[int], scan: _Scan) -> Iterator[_Page]:
    """Scan partitions up to the limit, in one round trip for a page of each."""
    # Partition -> cursor of its next page, and matches so far.
    places = dict.fromkeys(partitions, ("0", 0))
    while places:
        calls = [scan.call(partition, *place) for partition, place in places.items()]
        replies = execute_all(calls)
        for (partition, (_, total)), reply in zip(list(places.items()), replies, strict=True):
            next_cursor, count, timestamps, *ids = reply
            yield _Page(
                count, list(map(float, timestamps.split())), [each.decode() for each in ids]
            )
            places[partition] = next_cursor.decode(), total + count
        places = {
            partition: (cursor, total)
            for partition, (cursor, total) in places.items()
            if cursor != "0" and total < scan.limit
        }


def _index_keys(partition: int) -> tuple[str, ...]:
    return (
        keys.by_activity(partition),
        keys.search_fields(partition),
        keys.running(partition),
        keys.waiting(partition),
        keys.search_index(partition),
        keys.labels(partition),
    )


def _escape_glob(text: str) -> str:
    """Return a glob pattern that matches only this text."""
    return GLOB_CHARACTERS.sub(r"\\\g<0>", text)
