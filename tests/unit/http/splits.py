"""Ways to cut a thing into pieces."""

from typing import TypeVar

from hypothesis import strategies as st

T = TypeVar("T", str, bytes)


def split(whole: T, places: list[int]) -> list[T]:
    """Return `whole` cut at `places`, which may repeat and lie in any order."""
    ends: list[int] = sorted(place % (len(whole) + 1) for place in places)
    starts = [0, *ends]
    return [whole[start:end] for start, end in zip(starts, [*ends, len(whole)], strict=True)]


places = st.lists(st.integers(min_value=0, max_value=10_000), max_size=12)
