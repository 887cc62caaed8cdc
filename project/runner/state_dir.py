"""The directory that keeps what outlives a run: Redis's files, SQLite, the secret key."""

import fcntl
import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import IO

NOTE = "run.json"


def noted(path: Path) -> dict[str, str]:
    """Return the variables that name the servers of the run with this state directory, if any.

    A note is as good as its lock: whoever wrote it holds that as long as it lives.
    """
    try:
        with (path / NOTE).open() as note:
            variables: dict[str, str] = {} if _is_free(note) else json.loads(note.read() or "{}")
            return variables
    except FileNotFoundError:
        return {}


def _is_free(file: IO[str]) -> bool:
    """Whether nobody holds the lock of the file; if so, it is held until the file is closed."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class HomeInUse(Exception):
    """Another Parley runs with this state directory."""


class Home:
    """A state directory, held by one run at a time."""

    def __init__(self, path: Path) -> None:
        """Make the directory when it is missing and take it.

        Raises:
            HomeInUse: another run holds it; two servers on one append-only file would spoil it.
        """
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = path.resolve()
        self._note: IO[str] | None = None
        self._lock: IO[str] = (path / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.close()
            raise HomeInUse(f"Parley runs already with the data in {path}.") from error

    @property
    def redis(self) -> Path:
        """Where the Redis server keeps its append-only file."""
        return self.path / "redis"

    def secret_key(self) -> str:
        """Return the key that signs the admin's cookies, made on the first call ever."""
        path = self.path / "secret_key"
        if not path.exists():
            path.touch(mode=0o600)
        if not (key := path.read_text().strip()):
            key = secrets.token_urlsafe(50)
            path.write_text(key)
        return key

    def note(self, variables: Mapping[str, str]) -> None:
        """Keep what names the servers of this run, for commands beside it; see `noted`."""
        path = self.path / NOTE
        path.touch(mode=0o600)
        self._note = path.open("r+")
        # Whoever looks at it right now is done within a moment.
        fcntl.flock(self._note, fcntl.LOCK_EX)
        self._note.truncate()
        json.dump(dict(variables), self._note)
        self._note.flush()

    def release(self) -> None:
        """Let another run take the directory; the end of the process does so too."""
        if self._note is not None:
            (self.path / NOTE).unlink(missing_ok=True)
            self._note.close()
        self._lock.close()
