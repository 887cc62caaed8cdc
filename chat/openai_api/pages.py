"""Lists in pages, as OpenAI has them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from django.http import QueryDict

from chat.domain.errors import InvalidRequest, UnsupportedParameter

MAX_LIMIT = 100
DEFAULT_LIMIT = 20
# Digits of numbers in queries.
MAX_DIGITS = 15
BOOLEANS = {"true": True, "false": False}


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

    def page_of(self, items: Sequence[Mapping[str, Any]]) -> tuple[list[Mapping[str, Any]], bool]:
        """Return a page of a whole list, whose oldest item is first; and whether there are more."""
        ordered = list(reversed(items)) if self.is_newest_first else list(items)
        known = [i for i, item in enumerate(ordered) if item["id"] == self.after]
        rest = ordered[known[0] + 1 :] if known else ordered
        return rest[: self.limit], len(rest) > self.limit


def check_names(query: QueryDict, *names: str) -> None:
    """Check that a query has no other parameters.

    Raises:
        UnsupportedParameter
    """
    if unknown := query.keys() - set(names):
        name = min(unknown)
        raise UnsupportedParameter(f"`{name}` is not supported.", param=name)


def read_boolean(query: QueryDict, name: str) -> bool:
    value = query.get(name, "false")
    if value not in BOOLEANS:
        raise InvalidRequest(f"`{name}` must be true or false.", param=name)
    return BOOLEANS[value]


def read_integer(query: QueryDict, name: str, default: int) -> int:
    value = query.get(name)
    if value is None:
        return default
    if not (value.isascii() and value.isdigit() and len(value) <= MAX_DIGITS):
        raise InvalidRequest(f"`{name}` must be a number.", param=name)
    return int(value)


def to_list(items: Sequence[Mapping[str, Any]], *, has_more: bool) -> dict[str, Any]:
    """Return a page as JSON."""
    return {
        "object": "list",
        "data": items,
        "first_id": items[0]["id"] if items else None,
        "last_id": items[-1]["id"] if items else None,
        "has_more": has_more,
    }
