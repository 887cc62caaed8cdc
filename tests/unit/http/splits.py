"""Split strings and bytes at random positions."""

from typing import TypeVar

from hypothesis import strategies as st

T = TypeVar("T", str, bytes)


def split(whole: T, positions: list[int]) -> list[T]:
    """Return `whole` split at `positions`, which may repeat and have any order."""
    ends: list[int] = sorted(position % (len(whole) + 1) for position in positions)
    starts = [0, *ends]
    return [whole[start:end] for start, end in zip(starts, [*ends, len(whole)], strict=True)]


positions = st.lists(st.integers(min_value=0, max_value=10_000), max_size=12)
