"""Revisions of Parley, each with its own files, packages and processes."""

import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from bench.servers import ROOT

HOST = Path(__file__).with_name("host.py")
# The versions of all packages, one per line.
CONSTRAINTS = "constraints.txt"


class StartError(Exception):
    """A process did not start; with its output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """A running installation. pids: process ids by name, such as `redis`, `web0` and `worker0`."""

    webs: list[str]
    model: str
    redis: str
    pids: dict[str, int]

    @property
    def web(self) -> str:
        return self.webs[0]


class Revision:
    """One revision, and the process that starts its installations (`bench/host.py`)."""

    def __init__(self, name: str, root: Path, env: Mapping[str, str], *, number: int) -> None:
        """env: settings of all installations; number: each revision has its own range of ports."""
        self.name = name
        self._env = env
        self._process = subprocess.Popen(  # noqa: S603
            (_python(root), HOST),
            cwd=root,
            env={**os.environ, "PYTEST_XDIST_WORKER": f"gw{number}"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._main: Installation | None = None

    @property
    def main(self) -> Installation:
        """The installation that most measurements use; it is started when it is first needed."""
        if self._main is None:
            options = {"appendonly": True, "appendfsync": "everysec"}
            options |= {"model_options": ["--record", "--style", "echo"]}
            self._main = self.start("main", options=options)
        return self._main

    def start(
        self,
        name: str,
        *,
        env: Mapping[str, str] | None = None,
        webs: int = 1,
        workers: int = 1,
        options: Mapping[str, Any] | None = None,
    ) -> Installation:
        """Start an installation; `env` has settings in addition to those of all.

        options: further arguments of `tests.harness.stack.Stack`.

        Raises:
            StartError
        """
        started = self._call(
            "start", name=name, env={**self._env, **(env or {})}, webs=webs, workers=workers,
            options=dict(options or {}),
        )  # fmt: skip
        return Installation(**started)

    @contextmanager
    def installation(self, name: str, **arguments: Any) -> Iterator[Installation]:
        """Run another installation; the arguments are those of `start`."""
        started = self.start(name, **arguments)
        try:
            yield started
        finally:
            self._call("stop", name=name)

    def create_session(self, messages: int) -> dict[str, str]:
        """Create a session with messages on `main`, which runs; return its id and token."""
        session: dict[str, str] = self._call("create_session", messages=messages)
        return session

    def close(self) -> None:
        """Stop everything."""
        self._process.communicate()

    def _call(self, call: str, /, **arguments: Any) -> Any:
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps({"call": call, **arguments}), file=self._process.stdin, flush=True)
        reply = json.loads(self._process.stdout.readline())
        if "error" in reply:
            raise StartError(f"{self.name}: {reply['error']}")
        return reply["result"]


@contextmanager
def checkout(revision: str) -> Iterator[Path]:
    """Extract the files of a revision into a directory, and remove it at the end."""
    archive = subprocess.run(  # noqa: S603
        ("git", "archive", revision),  # noqa: S607
        cwd=ROOT, check=True, stdout=subprocess.PIPE,
    )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="parley-against-") as directory:
        with tarfile.open(fileobj=BytesIO(archive.stdout)) as files:
            files.extractall(directory, filter="data")
        yield Path(directory)


def _python(root: Path) -> str:
    """Return a Python with the packages of the revision; install them if this one has others."""
    wanted, own = (set((each / CONSTRAINTS).read_text().splitlines()) for each in (root, ROOT))
    if wanted <= own:
        return sys.executable
    subprocess.run(("make", ".venv/.dev"), cwd=root, check=True)  # noqa: S607
    return str(root / ".venv/bin/python")
