"""Choosing sessions out of all of them: by id, name, model, status, age."""

from collections.abc import Sequence
from dataclasses import dataclass

from chat.conversation import tokens
from chat.store import listing, search
from chat.store.listing import Row
from chat.store.search import Found, Wanted

__all__ = ["Choice", "Wanted", "choose", "find"]


@dataclass(frozen=True, slots=True)
class Choice:
    """The sessions that meet a wish, those of the latest activity first."""

    wanted: Wanted
    found: Found

    def __len__(self) -> int:
        return self.found.total

    def page(self, *, offset: int, limit: int) -> list[Row]:
        """Return some of them.

        Raises:
            StoreUnavailable
        """
        return find(search.page(self.wanted, self.found, offset=offset, limit=limit))


def choose(wanted: Wanted, named: Sequence[str] | None = None) -> Choice:
    """Return those of the sessions that meet the wish; a whole id is found whatever its age.

    named: choose among these only.

    Raises:
        StoreUnavailable
    """
    looked_at = listing.briefs(_ids(named if named is not None else [wanted.text]))
    if named is None and not looked_at:
        return Choice(wanted, search.look_for(wanted))
    return Choice(wanted, Found.of(brief for brief in looked_at if wanted.is_met_by(brief)))


def find(session_ids: Sequence[str]) -> list[Row]:
    """Return those of the sessions that exist.

    Raises:
        StoreUnavailable
    """
    return listing.rows(_ids(session_ids))


def _ids(texts: Sequence[str]) -> list[str]:
    """Return those of the texts that may be ids."""
    return [each for each in texts if tokens.SESSION_ID.fullmatch(each)]
