"""Choosing sessions out of all of them: by id, name, model, status, age."""

from collections.abc import Sequence
from dataclasses import dataclass

from chat.conversation import tokens
from chat.store import listing, search
from chat.store.listing import SessionRow
from chat.store.search import SearchResult, SessionFilter

__all__ = ["SearchPage", "SessionFilter", "get_many", "search"]


@dataclass(frozen=True, slots=True)
class SearchPage:
    """The sessions that meet a wish, those of the latest activity first."""

    session_filter: SessionFilter
    result: SearchResult

    def __len__(self) -> int:
        return self.result.total

    def page(self, *, offset: int, limit: int) -> list[SessionRow]:
        """Return some of them.

        Raises:
            StoreUnavailable
        """
        return get_many(search.page(self.session_filter, self.result, offset=offset, limit=limit))


def search(session_filter: SessionFilter, session_ids: Sequence[str] | None = None) -> SearchPage:
    """Return those of the sessions that meet the wish; a whole id is found whatever its age.

    named: choose among these only.

    Raises:
        StoreUnavailable
    """
    looked_at = listing.summaries(
        _valid_ids(session_ids if session_ids is not None else [session_filter.text])
    )
    if session_ids is None and not looked_at:
        return SearchPage(session_filter, search.search(session_filter))
    return SearchPage(
        session_filter,
        SearchResult.from_summaries(brief for brief in looked_at if session_filter.matches(brief)),
    )


def get_many(session_ids: Sequence[str]) -> list[SessionRow]:
    """Return those of the sessions that exist.

    Raises:
        StoreUnavailable
    """
    return listing.rows(_valid_ids(session_ids))


def _valid_ids(texts: Sequence[str]) -> list[str]:
    """Return those of the texts that may be ids."""
    return [each for each in texts if tokens.SESSION_ID.fullmatch(each)]
