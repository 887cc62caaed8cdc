"""Static files, served from the apps' own directories: `collectstatic` is not needed.

The pages link to `/static/<version>/<name>`. The version is a hash of all static files, so browsers
keep what they have loaded until the files change, and modules may import each other by relative
paths. These files are compressed when they are first requested, and kept in memory. Other static
paths, such as `/static/<name>`, are read from disk.
"""

import asyncio
import gzip
import hashlib
import mimetypes
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar
from wsgiref.headers import Headers

import brotli  # type: ignore[import-untyped]
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.contrib.staticfiles.storage import StaticFilesStorage
from servestatic.asgi import ServeStaticASGI  # type: ignore[import-untyped]

from chat.api.responses import default_headers

# `url_prefix` has removed URL_PREFIX from the paths of requests.
PREFIX = settings.STATIC_URL.removeprefix(settings.URL_PREFIX).strip("/")
VERSIONED = re.compile(rf"/{PREFIX}/([0-9a-f]{{12}})/(.+)")
COMPRESSIBLE = ("text/", "application/json", "image/svg")
# Brotli at level 9 takes 2 s for a megabyte, at level 5 a third of a second.
SLOW_BYTES = 300_000
# Bytes of one write.
BLOCK = 64 * 1024


@cache
def files() -> dict[str, Path]:
    """Return name -> path of every static file. An app's file hides those of later apps."""
    return {
        str(path.relative_to(directory)): path
        for directory in map(Path, _directories())
        for path in directory.rglob("*")
        if path.is_file()
    }


@cache
def version() -> str:
    """Return the hash of all static files."""
    found = hashlib.sha256()
    for name, path in sorted(files().items()):
        found.update(name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()[:12]


class VersionedStorage(StaticFilesStorage):
    """Adds the version to the URLs of static files, except while DEBUG is on."""

    def url(self, name: str | None) -> str:
        return super().url(name if settings.DEBUG else f"{version()}/{name}")


@dataclass(frozen=True, slots=True)
class Encoded:
    """The body of a response."""

    body: bytes
    content_type: str
    # "br", "gzip" or "".
    encoding: str


def encode(path: Path, encoding: str) -> Encoded:
    """Return the file, compressed if its type allows it."""
    content_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    content_type = content_type.replace("application/javascript", "text/javascript")
    body = path.read_bytes()
    if not content_type.startswith(COMPRESSIBLE):
        return Encoded(body, content_type, "")
    if encoding == "br":
        body = brotli.compress(body, quality=9 if len(body) < SLOW_BYTES else 5)
    elif encoding == "gzip":
        body = gzip.compress(body, 9, mtime=0)
    return Encoded(body, f"{content_type}; charset=utf-8", encoding)


class StaticFiles(ServeStaticASGI):  # type: ignore[misc]
    """Serves the paths below STATIC_URL and passes all others to the application."""

    METHODS: ClassVar = {"GET", "HEAD"}

    def __init__(self, application: object) -> None:
        # Path, encoding -> the compressed file.
        self._encoded: dict[tuple[Path, str], Encoded] = {}
        super().__init__(
            application,
            autorefresh=settings.DEBUG,
            allow_all_origins=True,
            add_headers_function=_add_headers,
        )
        for directory in _directories():
            self.add_files(directory, prefix=PREFIX)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        found = scope["type"] == "http" and VERSIONED.fullmatch(scope["path"])
        if not found or found[2] not in files():
            await super().__call__(scope, receive, send)
            return
        if scope["method"] not in self.METHODS:
            plain = {**scope, "path": f"/{PREFIX}/{found[2]}"}
            await super().__call__(plain, receive, send)
            return
        path = files()[found[2]]
        encoded = await self._encode(path, _encoding(scope["headers"]))
        # A web process of another version may have sent the page. Its files are not the same.
        cache_control = "public, max-age=31536000, immutable"
        if found[1] != version():
            cache_control = "no-cache"
        await _send(scope["method"], encoded, cache_control, send)

    async def _encode(self, path: Path, encoding: str) -> Encoded:
        """Compress in a thread, once; only then is there a switch of threads."""
        key = path, encoding
        if key not in self._encoded:
            self._encoded[key] = await asyncio.to_thread(encode, path, encoding)
        return self._encoded[key]


async def _send(method: str, encoded: Encoded, cache_control: str, send: Any) -> None:
    headers = {
        "Content-Type": encoded.content_type,
        "Content-Length": str(len(encoded.body)),
        "Cache-Control": cache_control,
        "Vary": "Accept-Encoding",
        # The element of /embed imports modules into pages of other origins.
        "Access-Control-Allow-Origin": "*",
        **dict(default_headers(is_api=False)),
    }
    if encoded.encoding:
        headers["Content-Encoding"] = encoded.encoding
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": 200, "headers": raw})
    body = encoded.body if method == "GET" else b""
    for start in range(0, len(body), BLOCK):
        block = body[start : start + BLOCK]
        await send({"type": "http.response.body", "body": block, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def _encoding(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the best encoding that the client accepts."""
    accepted = set(_accepted(headers))
    return next((name for name in ("br", "gzip") if name in accepted), "")


def _accepted(headers: Iterable[tuple[bytes, bytes]]) -> Iterator[str]:
    for name, value in headers:
        if name == b"accept-encoding":
            for item in value.decode("latin-1").lower().split(","):
                encoding, _, quality = item.partition(";")
                if quality.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}:
                    yield encoding.strip()


def _directories() -> Iterable[str]:
    """Return the apps' directories in reverse order: files that are added later win."""
    storages = [
        storage for finder in get_finders() for storage in getattr(finder, "storages", {}).values()
    ]
    return [storage.location for storage in reversed(storages)]


def _add_headers(headers: Headers, path: str, url: str) -> None:  # noqa: ARG001
    for name, value in default_headers(is_api=False):
        headers.setdefault(name, value)
