"""The directory that keeps what outlives a run: Redis's files, SQLite, the secret key."""

import fcntl
import secrets
from pathlib import Path
from typing import IO


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

    def release(self) -> None:
        """Let another run take the directory; the end of the process does so too."""
        self._lock.close()
