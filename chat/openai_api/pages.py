"""Lists in pages, as OpenAI has them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from django.http import QueryDict

from chat.domain.errors import InvalidRequest
from chat.protocols.queries import check_names, read_integer

MAX_LIMIT = 100
DEFAULT_LIMIT = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class PageQuery:
    """The parameters of a list."""

    # Id of the last item that the client has; "" for none.
    after: str
    limit: int
    is_newest_first: bool

    @classmethod
    def parse(cls, query: QueryDict) -> Self:
        """Return the parameters.

        Raises:
            InvalidRequest, UnsupportedParameter
        """
        check_names(query, "after", "limit", "order", "include", "include[]")
        order = query.get("order", "desc")
        if order not in {"asc", "desc"}:
            raise InvalidRequest("`order` must be asc or desc.", param="order")
        limit = read_integer(query, "limit", DEFAULT_LIMIT)
        if not 1 <= limit <= MAX_LIMIT:
            raise InvalidRequest(f"`limit` must be from 1 to {MAX_LIMIT}.", param="limit")
        return cls(after=query.get("after", ""), limit=limit, is_newest_first=order == "desc")


def to_list(items: Sequence[Mapping[str, Any]], *, has_more: bool) -> dict[str, Any]:
    """Return a page as JSON."""
    return {
        "object": "list",
        "data": items,
        "first_id": items[0]["id"] if items else None,
        "last_id": items[-1]["id"] if items else None,
        "has_more": has_more,
    }
