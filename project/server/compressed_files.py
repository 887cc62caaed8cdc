"""The static files of all apps, and their compressed copies in STATIC_ROOT.

`manage.py compressstatic` writes the copies; `make run` and the container image do so before the
first request. A copy is named by the hash of its file, so one of an older file is never sent.
"""

import hashlib
import mimetypes
import os
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders

from chat.pages.encoding import ENCODERS

COMPRESSIBLE = ("text/", "application/json", "image/svg")
# Copies of this module only; the directory may contain others' files.
COPY = re.compile(r"[0-9a-f]{64}\.(br|gzip)")


@cache
def files() -> dict[str, Path]:
    """Return name -> path of every static file. An app's file hides those of later apps."""
    return {
        str(path.relative_to(directory)): path
        for directory in map(Path, directories())
        for path in directory.rglob("*")
        if path.is_file()
    }


def directories() -> Iterable[str]:
    """Return the apps' directories in reverse order: files that are added later win."""
    storages = [
        storage for finder in get_finders() for storage in getattr(finder, "storages", {}).values()
    ]
    return [storage.location for storage in reversed(storages)]


@cache
def hashes() -> dict[str, str]:
    """Return name -> SHA-256 of every static file."""
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files().items()}


@cache
def version() -> str:
    """Return the hash of all static files."""
    found = hashlib.sha256()
    for name, digest in sorted(hashes().items()):
        found.update(f"{name}\0{digest}\n".encode())
    return found.hexdigest()[:12]


def content_type(name: str) -> str:
    """Return the value of the Content-Type header."""
    guessed = mimetypes.guess_type(name)[0] or "application/octet-stream"
    found = guessed.replace("application/javascript", "text/javascript")
    return f"{found}; charset=utf-8" if found.startswith(COMPRESSIBLE) else found


def read(name: str, encoding: str) -> bytes | None:
    """Return the file's compressed copy, or the file itself without an encoding.

    Returns:
        `None` if there is no such copy.
    """
    with suppress(FileNotFoundError):
        return (_copy(name, encoding) if encoding else files()[name]).read_bytes()
    return None


def missing() -> Iterator[tuple[str, str]]:
    """Yield name and encoding of each copy that is missing."""
    for name in files():
        if content_type(name).startswith(COMPRESSIBLE):
            for encoding in ENCODERS:
                if not _copy(name, encoding).exists():
                    yield name, encoding


def compress() -> int:
    """Write all missing copies and delete outdated ones; return how many were written.

    Raises:
        OSError: STATIC_ROOT cannot be written.
    """
    pending = list(missing())
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        list(threads.map(lambda copy: _write(*copy), pending))
    current = set(hashes().values())
    for path in Path(settings.STATIC_ROOT).glob("*.*"):
        if COPY.fullmatch(path.name) and path.stem not in current:
            path.unlink(missing_ok=True)
    return len(pending)


def _copy(name: str, encoding: str) -> Path:
    return Path(settings.STATIC_ROOT) / f"{hashes()[name]}.{encoding}"


def _write(name: str, encoding: str) -> None:
    """Write a copy at once, because web processes may be reading it."""
    path = _copy(name, encoding)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    unfinished.write_bytes(ENCODERS[encoding](files()[name].read_bytes()))
    unfinished.replace(path)
