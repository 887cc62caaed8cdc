"""Reads the parameters of queries."""

from django.http import QueryDict

from chat.domain.errors import InvalidRequest, UnsupportedParameter

# Digits of numbers in queries.
MAX_DIGITS = 15
BOOLEANS = {"true": True, "false": False}


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
