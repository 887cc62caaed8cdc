"""Queries: the number of matches, the newest of them, and pages of them.

Sessions of one model and idle sessions are counted without a scan, and their newest are found soon.
Within a time range they are counted by a scan of the sessions outside it, if these are fewer. A
later page of the results first collects the activity times of all matches. Then it scans the time
range that the page covers (figures: docs/performance.md).
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from math import ceil, inf

from chat.domain.bans import Subject
from chat.settings import chat_settings
from chat.store import keys, listing, openers
from chat.store.calls import execute_all
from chat.store.listing import SessionSummary, TimeRange
from chat.store.scripts import ScriptCall, read_script
from chat.store.search.scan import (
    NO_LIMIT,
    Page,
    count_labels,
    index_keys,
    merge,
    partitions_of,
    scan,
)
from chat.store.search.session_filter import SessionFilter

# Matches that a search finds by one scan: two pages of the admin's list.
MAX_NEWEST = 100
# With more matches than both, a number and a share of all sessions, the newest sessions are read.
MIN_MATCHES, MIN_SHARE = 1000, 0.05


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


def search(session_filter: SessionFilter, *, is_far: bool = False) -> SearchResult:
    """Search all sessions. It takes one round trip per page of a scan, and three more.

    is_far: a page beyond the newest matches will be read, which needs the times of all matches.

    Raises:
        StoreUnavailable
    """
    total_any_time, unindexed, sessions = _counts(session_filter)
    session_filter = _without_common_openers(session_filter, sessions)
    if session_filter.is_countable and session_filter.has_label:
        total_any_time = sum(chain.from_iterable(map(count_labels, session_filter.label_bounds)))
    if session_filter.is_countable and total_any_time == sessions and not unindexed:
        is_any_time = session_filter.time_range == listing.ANY_TIME
        in_range = sessions if is_any_time else listing.count(session_filter.time_range)
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
    if session_filter.has_label:
        return replace(_search_labels(session_filter, sessions), unindexed=unindexed)
    total, newest = _scan_newest(session_filter)
    return SearchResult(total=total, newest=newest, unindexed=unindexed)


def _without_common_openers(session_filter: SessionFilter, sessions: int) -> SessionFilter:
    """Return a filter with the same matches, without subjects that have opened all sessions.

    sessions: their number.
    """
    rare = (each for each in session_filter.openers if _count_opened(each) < sessions)
    return replace(session_filter, openers=tuple(rare))


def _count_opened(opener: Subject) -> int:
    return sum(chain.from_iterable(count_labels(each.bounds) for each in openers.ranges(opener)))


def _search_labels(session_filter: SessionFilter, sessions: int) -> SearchResult:
    """Search the sessions with a label.

    If many sessions have one opener, they are counted without a scan, and the newest of them are
    found among the newest sessions. sessions: their number.
    """
    if session_filter.has_only_opener:
        total = _count_opened(session_filter.openers[0])
        if total > max(MIN_MATCHES, MIN_SHARE * sessions):
            ids = listing.page(offset=0, limit=ceil(2 * MAX_NEWEST * sessions / total))
            matches = filter(session_filter.matches, listing.summaries(ids))
            newest = SearchResult.from_summaries(matches).newest
            if len(newest) >= MAX_NEWEST:
                return SearchResult(total=total, newest=newest)
    total, newest = _scan_newest(session_filter)
    return SearchResult(total=total, newest=newest)


def _scan_newest(
    session_filter: SessionFilter, *, by_name: bool | None = None, has_limit: bool = False
) -> tuple[int, list[tuple[float, str]]]:
    """Scan; return the number of matches, and the newest of them.

    A partition returns a few ids more than its share. Those partitions that may have more of the
    newest ones are scanned again for as many ids as are needed of all.
    has_limit: end when enough are found; they are not counted.
    """

    def find(max_ids: int, only: Sequence[int] = ()) -> list[Page]:
        limit = max_ids if has_limit else NO_LIMIT
        return scan(session_filter, limit=limit, max_ids=max_ids, by_name=by_name, only=only)

    share = 8 + 4 * MAX_NEWEST // len(partitions_of(session_filter))
    pages = find(min(share, MAX_NEWEST + 1))
    total = sum(page.total for page in pages)
    known = merge(pages)
    oldest = known[MAX_NEWEST - 1][0] if len(known) >= MAX_NEWEST else -inf
    cut = {page.partition for page in pages if page.is_cut and page.timestamps[-1] >= oldest}
    if cut:
        pages = [page for page in pages if page.partition not in cut]
        pages += find(MAX_NEWEST + 1, sorted(cut))
    # What is not newer than the end of a page may miss others.
    end = max((page.timestamps[-1] for page in pages if page.is_cut), default=-inf)
    return total, [pair for pair in merge(pages) if pair[0] > end]


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
        scan(replace(session_filter, time_range=time_range), max_ids=0) for time_range in complement
    )
    return max(0, total_any_time - sum(page.total for page in chain.from_iterable(scans)))


def _newest(session_filter: SessionFilter, total: int) -> list[tuple[float, str]]:
    """Return the newest matches. total: their number."""
    if not total:
        return []
    are_few = total <= MAX_NEWEST * chat_settings.PARTITIONS
    _, newest = _scan_newest(session_filter, by_name=are_few, has_limit=not are_few)
    return newest


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
    if offset + limit <= len(newest) or len(newest) >= result.total:
        return [session_id for _, session_id in newest[offset : offset + limit]]
    timestamps = result.timestamps or _all_timestamps(session_filter)
    end = len(timestamps) - offset
    covered = timestamps[max(0, end - limit) : max(0, end)]
    if not covered:
        return []
    # Several sessions may share the newest time, and some of these belong to the previous page.
    newer = len(timestamps) - bisect_right(timestamps, covered[-1])
    time_range = TimeRange(since=covered[0] / 1000, until=(covered[-1] + 1) / 1000)
    pages = scan(replace(session_filter, time_range=time_range), by_name=False, is_small=True)
    entries = merge(pages)
    return [session_id for _, session_id in entries[offset - newer :][:limit]]


def _counts(session_filter: SessionFilter) -> tuple[int, int, int]:
    """Return how many sessions have the status and model, are not indexed, and exist."""
    has_openers = int(bool(session_filter.openers))
    args = (session_filter.status, session_filter.model_json, has_openers)
    calls = [
        ScriptCall(
            read_script("count_sessions"),
            (*index_keys(partition), keys.counts(partition)),
            args,
        )
        for partition in range(chat_settings.PARTITIONS)
    ]
    replies = execute_all(calls)
    totals, unindexed, sessions = zip(*replies, strict=True)
    return sum(totals), sum(unindexed), sum(sessions)


def _all_timestamps(session_filter: SessionFilter) -> list[float]:
    pages = scan(session_filter, max_ids=0, with_timestamps=True)
    return sorted(chain.from_iterable(page.timestamps for page in pages))
