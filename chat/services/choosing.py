"""Choosing sessions out of all of them, by what no index holds: names, models, statuses.

Redis orders sessions by their activity and lists those that run and those that wait. Whatever else
is asked for is looked for among `SEARCHED` sessions of one of these, never among all.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from chat.services import tokens
from chat.store import listing
from chat.store.listing import ALWAYS, Brief, Row, Span

SEARCHED = 1000
"""Sessions that are looked at: of the latest activity, or those that run or wait longest."""
LISTED = {"running", "waiting"}
"""Statuses that have a list of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is asked for; what is empty lets every session through."""

    text: str = ""
    """A whole id; or the beginning of one, or a part of a name, in capitals or not. No pattern."""
    status: str = ""
    """`running`, `waiting` or `idle`."""
    model: str = ""
    """Name of the model that the session uses."""
    span: Span = ALWAYS
    """Of the last activity."""

    def is_met_by(self, brief: Brief) -> bool:
        """Tell whether the session is one of those that are asked for."""
        return (
            self.status in {"", brief.status}
            and self.model in {"", orjson.loads(brief.model)}
            and self.span.has(brief.last_active_at)
            and self._is_named_by(brief)
        )

    def _is_named_by(self, brief: Brief) -> bool:
        name = str(orjson.loads(brief.name)).casefold()
        return brief.id.startswith(self.text) or self.text.casefold() in name


def choose(wish: Wish, named: Sequence[str] | None = None) -> list[str]:
    """Return the ids of the sessions asked for, those of the latest activity first.

    named: choose among these only. A few round trips, however many sessions there are.

    Raises:
        StoreUnavailable
    """
    looked_at = listing.briefs(_ids(named if named is not None else [wish.text]))
    if named is None and not looked_at:
        looked_at = listing.briefs(_candidates(wish))
    met = [brief for brief in looked_at if wish.is_met_by(brief)]
    met.sort(key=lambda brief: (brief.last_active_at, brief.id), reverse=True)
    return [brief.id for brief in met]


def _candidates(wish: Wish) -> list[str]:
    if wish.status in LISTED:
        return [session_id for _, session_id in listing.longest(wish.status, SEARCHED)]
    return listing.page(offset=0, limit=SEARCHED, span=wish.span)


def find(session_ids: Sequence[str]) -> list[Row]:
    """Return those of the sessions that exist.

    Raises:
        StoreUnavailable
    """
    return listing.rows(_ids(session_ids))


def _ids(texts: Sequence[str]) -> list[str]:
    """Return those of the texts that may be ids."""
    return [each for each in texts if tokens.SESSION_ID.fullmatch(each)]
