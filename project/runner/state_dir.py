"""The directory for what survives a run: Redis's files, SQLite and the secret key."""

import fcntl
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import IO

RUN_FILE = "run.json"


def read_run_env(path: Path) -> dict[str, str]:
    """Return the environment variables of the run that uses the state directory, if there is one.

    They name the servers that the run has started. The file counts only while its writer lives and
    holds the lock on it.
    """
    try:
        with (path / RUN_FILE).open() as file:
            if _lock_shared(file):
                return {}
            variables: dict[str, str] = json.loads(file.read() or "{}")
            return variables
    except FileNotFoundError:
        return {}


def _lock_shared(file: IO[str]) -> bool:
    """Take a shared lock until the file is closed; return False if a writer holds the lock."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class StateDirInUse(Exception):
    """Another run uses the state directory."""


class StateDir:
    """A state directory, locked by one run at a time."""

    def __init__(self, path: Path) -> None:
        """Create the directory if it is missing, and lock it.

        Raises:
            StateDirInUse: another run holds the lock. Two Redis servers that write to one
                append-only file would corrupt it.
        """
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = path.resolve()
        self._run_file: IO[str] | None = None
        self._lock: IO[str] = (path / "lock").open("a")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.close()
            raise StateDirInUse(f"Parley is already running with the data in {path}.") from error
        # With the process id, commands such as `pkill -P` find this run's programs.
        self._lock.truncate(0)
        print(os.getpid(), file=self._lock, flush=True)

    @property
    def redis(self) -> Path:
        """The Redis server's working directory."""
        return self.path / "redis"

    def secret_key(self) -> str:
        """Return the Django secret key of this installation; the first call generates it."""
        path = self.path / "secret_key"
        if not path.exists():
            path.touch(mode=0o600)
        if not (key := path.read_text().strip()):
            key = secrets.token_urlsafe(50)
            path.write_text(key)
        return key

    def write_run_env(self, variables: Mapping[str, str]) -> None:
        """Store the variables that name this run's servers, for other commands (`read_run_env`)."""
        path = self.path / RUN_FILE
        path.touch(mode=0o600)
        self._run_file = path.open("r+")
        # A reader holds its lock for a moment only.
        fcntl.flock(self._run_file, fcntl.LOCK_EX)
        self._run_file.truncate()
        json.dump(dict(variables), self._run_file)
        self._run_file.flush()

    def release(self) -> None:
        """Unlock the directory, as the end of the process also does."""
        if self._run_file is not None:
            (self.path / RUN_FILE).unlink(missing_ok=True)
            self._run_file.close()
        self._lock.close()
