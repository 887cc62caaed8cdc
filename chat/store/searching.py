"""Sessions by status, model and name: what staff look for among all of them.

No index is ordered by these, so the partitions are looked through, in steps that each hold Redis up
for some ms; others are served between two of them. Those of a model, and the idle ones, are counted
without that, and their newest found soon. A page further back takes the moments of activity of all
that is found, and then those of the span of time that it covers (figures: docs/performance.md).
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import NamedTuple

import orjson

from chat.conf import knobs
from chat.store import keys
from chat.store.client import client, translated
from chat.store.listing import ALWAYS, Brief, Span
from chat.store.scripts import Call, run, run_all, script
from chat.store.text import folded

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
            and self.part in folded(orjson.loads(brief.name))
        )

    @property
    def id_start(self) -> str:
        """The beginning of an id, if that is what the text is."""
        return self.text if ID_START.fullmatch(self.text) else ""

    @property
    def part(self) -> str:
        """The part of a name, in capitals or not."""
        return "" if self.id_start else folded(self.text)

    @property
    def pattern(self) -> str:
        """What Redis compares the lines of model, name and id with; empty without a text."""
        if not self.text:
            return ""
        model = _literal(_model(self).decode()) or "*"
        return f"{model}\n*{_literal(self.part)}*\n{_literal(self.id_start)}*"

    @property
    def can_be_counted(self) -> bool:
        """Whether it takes no look at each session to tell how many there are."""
        return self.status in {"", "idle"} and not self.text and self.span == ALWAYS


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is known of the sessions that were looked for."""

    total: int
    head: Sequence[tuple[float, str]]
    """Last activity, ms since the epoch, and id of the newest ones, the newest first."""
    moments: Sequence[float] = ()
    """Last activity of all, the oldest first; empty when they were only counted."""
    unknown: int = 0
    """Sessions whose name and model were never noted: an older version opened them."""

    @classmethod
    def of(cls, briefs: Iterable[Brief]) -> "Found":
        """Return what is known to be all of it."""
        head = sorted(((1000 * each.last_active_at, each.id) for each in briefs), reverse=True)
        return cls(total=len(head), head=head)


class _Step(NamedTuple):
    moments: Sequence[float]
    ids: Sequence[str]
    """Of the first ones, if not of all."""


def look_for(wanted: Wanted) -> Found:
    """Look for sessions; as many round trips as steps, and one.

    Raises:
        StoreUnavailable
    """
    total, unknown = _reckoned(wanted)
    if wanted.can_be_counted:
        is_rare = total <= HEAD * knobs.PARTITIONS
        steps = _looked(wanted, enough=ALL if is_rare else HEAD, given=HEAD)
        return Found(total=total, head=_paired(steps), unknown=unknown)
    steps = _looked(wanted, given=ALL if wanted.status in LISTED else HEAD)
    moments = sorted(chain.from_iterable(step.moments for step in steps))
    is_whole = not wanted.text or all(len(step.moments) == len(step.ids) for step in steps)
    head = _paired(steps) if is_whole else []
    return Found(total=len(moments), head=head, moments=moments, unknown=unknown)


def page(wanted: Wanted, found: Found, *, offset: int, limit: int) -> list[str]:
    """Return ids of what was found, those of the latest activity first.

    Raises:
        StoreUnavailable
    """
    if offset + limit <= min(HEAD, len(found.head)) or len(found.head) >= found.total:
        return [session_id for _, session_id in found.head[offset : offset + limit]]
    moments = found.moments or _all_moments(wanted)
    last = len(moments) - offset
    covered = moments[max(0, last - limit) : max(0, last)]
    if not covered:
        return []
    # Several may bear the moment of the newest, and some of these belong on the page before.
    newer = len(moments) - bisect_right(moments, covered[-1])
    band = Span(since=covered[0] / 1000, until=(covered[-1] + 1) / 1000)
    within = _paired(_looked(replace(wanted, span=band)))
    return [session_id for _, session_id in within[offset - newer :][:limit]]


def _reckoned(wanted: Wanted) -> tuple[int, int]:
    """Return how many there are, for what can be counted, and how many were never noted."""
    told = (wanted.status, _model(wanted))
    tags = range(knobs.PARTITIONS)
    calls = [Call(script("reckon"), (*_lists(tag), keys.counts(tag)), told) for tag in tags]
    with translated():
        answers = run_all(client(), calls)
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
    totals, unknown = zip(*answers, strict=True)
    return sum(totals), sum(unknown)


def _all_moments(wanted: Wanted) -> list[float]:
    return sorted(chain.from_iterable(step.moments for step in _looked(wanted, given=0)))


def _paired(steps: Iterable[_Step]) -> list[tuple[float, str]]:
    """Return moments and ids, the newest first; a step may repeat what one before it gave."""
    pairs = {pair for step in steps for pair in zip(step.moments, step.ids, strict=False)}
    return sorted(pairs, reverse=True)


def _looked(wanted: Wanted, *, enough: int = ALL, given: int = ALL) -> list[_Step]:
    tags = range(knobs.PARTITIONS)
    return [step for tag in tags for step in _steps(tag, wanted, enough, given)]


def _steps(tag: int, wanted: Wanted, enough: int, given: int) -> Iterator[_Step]:
    """Look through a partition until there is enough, a trip a step: others come in between."""
    cursor, found = "0", 0
    while found < enough:
        with translated():
            next_cursor, moments, *ids = run(
                client(), _look(tag, wanted, cursor, enough - found, given)
            )
        step = _Step(list(map(float, moments.split())), [each.decode() for each in ids])
        yield step
        cursor, found = next_cursor.decode(), found + len(step.moments)
        if cursor == "0":
            break


def _look(tag: int, wanted: Wanted, cursor: str, enough: int, given: int) -> Call:
    since, until = wanted.span.since or 0, wanted.span.until
    return Call(
        script("choose"),
        _lists(tag),
        (
            round(1000 * since),
            ALL if until is None else round(1000 * until),
            cursor,
            STEP,
            wanted.status,
            _model(wanted),
            wanted.id_start,
            wanted.part,
            wanted.pattern,
            enough,
            given,
        ),
    )


def _lists(tag: int) -> tuple[str, ...]:
    lists = (keys.index, keys.facets, keys.running, keys.waiting, keys.names)
    return tuple(key(tag) for key in lists)


def _literal(text: str) -> str:
    """Return a pattern of Redis's that is met by this text alone."""
    return SPECIAL.sub(r"\\\g<0>", text)


def _model(wanted: Wanted) -> bytes:
    return orjson.dumps(wanted.model) if wanted.model else b""
