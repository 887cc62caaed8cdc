"""Search for sessions by id, name, model, status and activity."""

from collections.abc import Sequence
from dataclasses import dataclass

from chat.conversation import tokens
from chat.store import listing, session_rows
from chat.store.search import query
from chat.store.search.query import SearchResult
from chat.store.search.session_filter import SessionFilter
from chat.store.session_rows import SessionRow

__all__ = ["SearchPage", "SessionFilter", "get_many", "search"]


@dataclass(frozen=True, slots=True)
class SearchPage:
    """The sessions that match a filter, most recently active first."""

    session_filter: SessionFilter
    result: SearchResult

    def __len__(self) -> int:
        return self.result.total

    def page(self, *, offset: int, limit: int) -> list[SessionRow]:
        """Return the rows of one page of the matches.

        Raises:
            StoreUnavailable
        """
        ids = query.page(self.session_filter, self.result, offset=offset, limit=limit)
        return get_many(ids)


def search(
    session_filter: SessionFilter,
    session_ids: Sequence[str] | None = None,
    *,
    is_far: bool = False,
) -> SearchPage:
    """Search all sessions, or the given ones. A text that is a whole id selects that session.

    is_far: see `chat.store.search.query.search`.

    Raises:
        StoreUnavailable
    """
    ids = [session_filter.text] if session_ids is None else session_ids
    summaries = listing.summaries(_valid_ids(ids))
    if session_ids is None and not summaries:
        return SearchPage(session_filter, query.search(session_filter, is_far=is_far))
    matches = (summary for summary in summaries if session_filter.matches(summary))
    return SearchPage(session_filter, SearchResult.from_summaries(matches))


def get_many(session_ids: Sequence[str]) -> list[SessionRow]:
    """Return the sessions that exist.

    Raises:
        StoreUnavailable
    """
    return session_rows.rows(_valid_ids(session_ids))


def _valid_ids(texts: Sequence[str]) -> list[str]:
    return [text for text in texts if tokens.SESSION_ID.fullmatch(text)]
