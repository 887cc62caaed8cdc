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
from chat.store.listing import ALWAYS, Brief, Span
from chat.store.scripts import ScriptCall, read_script, run_pipeline, run_script

STEP = 7000
"""Sessions that one step looks at: some ms of Redis, and what Lua can unpack (8,000)."""
ID_START = re.compile("ses_[0-9a-f]{1,24}")
SPECIAL = re.compile(r"[*?\[\]\\^-]")
"""What means something in a pattern of Redis's."""
HEAD = 100
"""Ids that are taken at first, of each partition: two pages of the list."""
LISTED = {"running", "waiting"}
"""Statuses that have a list of their own, which is in another order."""
ALL = 2**53
"""More sessions than there are, and ms since the epoch that will not come."""


def normalize_name(text: str) -> str:
    """Return `text` as names are compared: case-folded, NFKC, with single spaces."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.split())


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is looked for; what is empty lets every session through."""

    text: str = ""
    """The beginning of an id, with its `ses_`, or else a part of a name. No pattern."""
    status: str = ""
    """`running`, `waiting` or `idle`."""
    model: str = ""
    """Name of the model that the session uses."""
    span: Span = ALWAYS
    """Of the last activity."""

    def is_met_by(self, brief: Brief) -> bool:
        """Tell whether the session is one of those that are looked for."""
        return (
            self.status in {"", brief.status}
            and self.model in {"", orjson.loads(brief.model)}
            and self.span.has(brief.last_active_at)
            and brief.id.startswith(self.id_start)
            and self.part in normalize_name(orjson.loads(brief.name))
        )

    @property
    def id_start(self) -> str:
        """The beginning of an id, if that is what the text is."""
        return self.text if ID_START.fullmatch(self.text) else ""

    @property
    def part(self) -> str:
        """The part of a name, in capitals or not."""
        return "" if self.id_start else normalize_name(self.text)

    @property
    def pattern(self) -> str:
        """What Redis compares the lines of model, name and id with; empty if with nothing."""
        if not self.text and not self.model:
            return ""
        model = _literal(_model(self).decode()) or "*"
        return f"{model}\n*{_literal(self.part)}*\n{_literal(self.id_start)}*"

    @property
    def can_be_counted(self) -> bool:
        """Whether it takes no look at each session to tell how many there are at any time."""
        return self.status in {"", "idle"} and not self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is known of the sessions that were looked for."""

    total: int
    head: Sequence[tuple[float, str]]
    """Last activity, ms since the epoch, and id of the newest ones, the newest first."""
    unknown: int = 0
    """Sessions whose name and model were never noted: an older version opened them."""

    @classmethod
    def of(cls, briefs: Iterable[Brief]) -> "Found":
        """Return what is known to be all of it."""
        head = sorted(((1000 * each.last_active_at, each.id) for each in briefs), reverse=True)
        return cls(total=len(head), head=head)


class _Step(NamedTuple):
    found: int
    moments: Sequence[float]
    ids: Sequence[str]
    """Of the first ones, if not of all."""

    @property
    def is_whole(self) -> bool:
        """Whether all that was found is given."""
        return len(self.ids) == self.found


def look_for(wanted: Wanted) -> Found:
    """Look for sessions; as many round trips as steps, and three.

    Raises:
        StoreUnavailable
    """
    of_any_time, unknown = _reckoned(wanted)
    if wanted.can_be_counted:
        total = _less_others(wanted, of_any_time)
        if total is not None:
            return Found(total=total, head=_head(wanted, total), unknown=unknown)
    steps = _looked(wanted, given=ALL if wanted.status in LISTED else HEAD)
    total = sum(step.found for step in steps)
    if wanted.text and not all(step.is_whole for step in steps):
        # Redis compares names in no order. Where it found many, the newest are found soon.
        steps = _looked(wanted, enough=HEAD, given=HEAD, is_by_name=False)
    return Found(total=total, head=_paired(steps), unknown=unknown)


def _less_others(wanted: Wanted, of_any_time: int) -> int | None:
    """Return how many there are: those of any time less those outside the span.

    `None` if fewer sessions lie within it than outside, so that it takes less to look at them.
    """
    outside = wanted.span.others
    others = sum(map(listing.count, outside)) if of_any_time else 0
    if not others:
        return of_any_time
    if listing.count(wanted.span) <= others:
        return None
    looks = (_looked(replace(wanted, span=each), given=0) for each in outside)
    return max(0, of_any_time - sum(step.found for step in chain.from_iterable(looks)))


def _head(wanted: Wanted, total: int) -> list[tuple[float, str]]:
    """Return the newest of those that were counted; all, if they are few."""
    if not total:
        return []
    is_rare = total <= HEAD * chat_settings.PARTITIONS
    enough = ALL if is_rare else HEAD
    return _paired(_looked(wanted, enough=enough, given=enough, is_by_name=is_rare))


def page(wanted: Wanted, found: Found, *, offset: int, limit: int) -> list[str]:
    """Return ids of what was found, those of the latest activity first.

    Raises:
        StoreUnavailable
    """
    if offset + limit <= min(HEAD, len(found.head)) or len(found.head) >= found.total:
        return [session_id for _, session_id in found.head[offset : offset + limit]]
    moments = _all_moments(wanted)
    last = len(moments) - offset
    covered = moments[max(0, last - limit) : max(0, last)]
    if not covered:
        return []
    # Several may bear the moment of the newest, and some of these belong on the page before.
    newer = len(moments) - bisect_right(moments, covered[-1])
    band = Span(since=covered[0] / 1000, until=(covered[-1] + 1) / 1000)
    within = _paired(_looked(replace(wanted, span=band), is_by_name=False))
    return [session_id for _, session_id in within[offset - newer :][:limit]]


def _reckoned(wanted: Wanted) -> tuple[int, int]:
    """Return how many there are, for what can be counted, and how many were never noted."""
    told = (wanted.status, _model(wanted))
    tags = range(chat_settings.PARTITIONS)
    calls = [
        ScriptCall(read_script("count_sessions"), (*_lists(tag), keys.counts(tag)), told)
        for tag in tags
    ]
    with map_errors():
        answers = run_pipeline(client(), calls)
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
    totals, unknown = zip(*answers, strict=True)
    return sum(totals), sum(unknown)


def _all_moments(wanted: Wanted) -> list[float]:
    return sorted(
        chain.from_iterable(step.moments for step in _looked(wanted, given=0, has_moments=True))
    )


def _paired(steps: Iterable[_Step]) -> list[tuple[float, str]]:
    """Return moments and ids, the newest first; a step may repeat what one before it gave."""
    pairs = {pair for step in steps for pair in zip(step.moments, step.ids, strict=False)}
    return sorted(pairs, reverse=True)


def _looked(
    wanted: Wanted,
    *,
    enough: int = ALL,
    given: int = ALL,
    is_by_name: bool | None = None,
    has_moments: bool = False,
) -> list[_Step]:
    """Look through all partitions; by name where it says so, or else where there is a text."""
    if is_by_name is None:
        is_by_name = bool(wanted.text)
    pattern = wanted.pattern if is_by_name else ""
    look = _Look(wanted, pattern, enough, given, has_moments)
    return [step for tag in range(chat_settings.PARTITIONS) for step in _steps(tag, look)]


class _Look(NamedTuple):
    """What is asked of each partition."""

    wanted: Wanted
    pattern: str
    enough: int
    given: int
    has_moments: bool
    """Whether the moments of all are told, or of those alone that are given."""

    def call(self, tag: int, cursor: str, found: int) -> ScriptCall:
        """Return one step of it, after so many were found."""
        wanted, since, until = self.wanted, self.wanted.span.since or 0, self.wanted.span.until
        bounds = (round(1000 * since), ALL if until is None else round(1000 * until))
        kind = (wanted.status, _model(wanted), wanted.id_start, wanted.part, self.pattern)
        most = (self.enough - found, max(0, self.given - found), int(self.has_moments))
        return ScriptCall(
            read_script("scan_sessions"), _lists(tag), (*bounds, cursor, STEP, *kind, *most)
        )


def _steps(tag: int, look: _Look) -> Iterator[_Step]:
    """Look through a partition until there is enough, a trip a step: others come in between."""
    cursor, found = "0", 0
    while found < look.enough:
        with map_errors():
            next_cursor, seen, moments, *ids = run_script(client(), look.call(tag, cursor, found))
        yield _Step(seen, list(map(float, moments.split())), [each.decode() for each in ids])
        cursor, found = next_cursor.decode(), found + seen
        if cursor == "0":
            break


def _lists(tag: int) -> tuple[str, ...]:
    lists = (keys.by_activity, keys.search_fields, keys.running, keys.waiting, keys.search_index)
    return tuple(key(tag) for key in lists)


def _literal(text: str) -> str:
    """Return a pattern of Redis's that is met by this text alone."""
    return SPECIAL.sub(r"\\\g<0>", text)


def _model(wanted: Wanted) -> bytes:
    return orjson.dumps(wanted.model) if wanted.model else b""
