"""Callbacks without arguments or result."""

from collections.abc import Callable

Callback = Callable[[], None]


def noop() -> None:
    pass
