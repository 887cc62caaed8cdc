"""Copies of sessions with files: Redis serves no other client while it copies one."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from chat.domain.errors import Unavailable

_in_progress = Lock()


@contextmanager
def turn_to_copy(size: int) -> Iterator[None]:
    """Let a web process send Redis one copy of files at a time; size: of the files, bytes.

    Raises:
        Unavailable: another one is in progress.
    """
    if not size:
        yield
        return
    if not _in_progress.acquire(blocking=False):
        raise Unavailable("Another session with files is being copied.", retry_after=1)
    try:
        yield
    finally:
        _in_progress.release()
