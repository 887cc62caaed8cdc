"""Scans of sessions for a search: page by page, several partitions at the same time."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

from chat.domain.identity import PARTITION_DIGITS
from chat.settings import chat_settings
from chat.store import keys
from chat.store.calls import execute_all
from chat.store.client import execute_commands
from chat.store.routing import Arg
from chat.store.scripts import ScriptCall, read_script
from chat.store.search.session_filter import SessionFilter

# Sessions per round trip: a few ms in Redis, and less than Lua can unpack (8,000).
PAGE_SIZE = 7000
# Partitions that are scanned at the same time, each with its part of a page.
PARTITIONS_PER_TRIP = 16
# More than there are sessions, or ms since the epoch.
NO_LIMIT = 2**53
# A range of labels, for ZRANGEBYLEX; two empty texts for none.
Bounds: TypeAlias = tuple[str, str]


class Page(NamedTuple):
    """Matches in one page of a scan."""

    partition: int
    total: int
    # Last activities of all matches, or only of those in `ids`.
    timestamps: Sequence[float]
    # Ids of the newest matches, newest first.
    ids: Sequence[str]
    # There may be more ids.
    is_cut: bool


def merge(pages: Iterable[Page]) -> list[tuple[float, str]]:
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
    bounds: Bounds

    def call(self, partition: int, cursor: str) -> ScriptCall:
        """Return the call for the next page."""
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
            self.limit,
            self.max_ids,
            int(self.with_timestamps),
            *self.bounds,
            *wanted.conditions,
        )
        return ScriptCall(read_script("scan_sessions"), index_keys(partition), args)


def scan(
    session_filter: SessionFilter,
    *,
    limit: int = NO_LIMIT,
    max_ids: int = NO_LIMIT,
    by_name: bool | None = None,
    with_timestamps: bool = False,
    only: Sequence[int] = (),
    is_small: bool = False,
) -> list[Page]:
    """Scan the partitions that may have matches.

    limit: of matches per page, after which a partition's scan by activity ends.
    max_ids: of ids to return per page; 0 with timestamps.
    by_name: scan the search index instead of the sessions by activity; by default if the
        filter has a text.
    with_timestamps: return the times of all matches, not only of those whose ids are returned.
    only: the partitions to scan, if not all of these.
    is_small: the time range has few sessions, so all partitions are scanned at the same time.
    """
    if by_name is None:
        by_name = bool(session_filter.text)
    pattern = session_filter.pattern if by_name else ""
    parts = [
        _Scan(session_filter, pattern, limit, max_ids, with_timestamps, bounds)
        for bounds in session_filter.label_bounds or [("", "")]
    ]
    per_trip = chat_settings.PARTITIONS if is_small else PARTITIONS_PER_TRIP
    return [
        page
        for part in parts
        for partitions in [only or _partitions_with(session_filter, part.bounds)]
        for first in range(0, len(partitions), per_trip)
        for page in _scan_partitions(partitions[first : first + per_trip], part)
    ]


def partitions_of(session_filter: SessionFilter) -> range:
    """Return the partitions of sessions whose ids start as wanted."""
    first = session_filter.id_prefix or keys.ID_PREFIX
    length = len(keys.ID_PREFIX) + PARTITION_DIGITS
    low, high = (keys.partition_of(first.ljust(length, digit)) for digit in "0f")
    return range(low, high + 1)


def _partitions_with(session_filter: SessionFilter, bounds: Bounds) -> Sequence[int]:
    """Return those of these partitions that have a label within the bounds, if there are bounds."""
    partitions = partitions_of(session_filter)
    if not bounds[0]:
        return partitions
    counts = count_labels(bounds)
    return [partition for partition in partitions if counts[partition]]


def count_labels(bounds: Bounds) -> Sequence[int]:
    """Return the number of sessions with a label within the bounds, by partition.

    Raises:
        StoreUnavailable
    """
    partitions = range(chat_settings.PARTITIONS)
    return execute_commands([("ZLEXCOUNT", keys.labels(each), *bounds) for each in partitions])


def _scan_partitions(partitions: Iterable[int], scan: _Scan) -> Iterator[Page]:
    """Scan partitions, in one round trip for a page of each."""
    # Partition -> cursor of its next page.
    cursors = dict.fromkeys(partitions, "0")
    while cursors:
        replies = execute_all([scan.call(*place) for place in cursors.items()])
        for partition, reply in zip(list(cursors), replies, strict=True):
            next_cursor, count, timestamps, *ids = reply
            times = list(map(float, timestamps.split()))
            is_cut = len(ids) >= scan.max_ids > 0
            yield Page(partition, count, times, [each.decode() for each in ids], is_cut)
            cursors[partition] = next_cursor.decode()
        cursors = {partition: cursor for partition, cursor in cursors.items() if cursor != "0"}


def index_keys(partition: int) -> tuple[str, ...]:
    return (
        keys.by_activity(partition),
        keys.search_fields(partition),
        keys.running(partition),
        keys.waiting(partition),
        keys.search_index(partition),
        keys.labels(partition),
    )
