"""Static files, served from the apps' own directories: `collectstatic` is not needed.

The pages link to `/static/<version>/<name>`. The version is a hash of all static files, so browsers
keep what they have loaded until the files change, and modules may import each other by relative
paths. Compressed copies of these files are sent if `manage.py compressstatic` has written them;
nothing is compressed when it is requested. Other static paths, such as `/static/<name>`, are read
from disk.
"""

import asyncio
import logging
import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar
from wsgiref.headers import Headers

from django.conf import settings
from django.contrib.staticfiles.storage import StaticFilesStorage
from servestatic.asgi import ServeStaticASGI  # type: ignore[import-untyped]

from chat.api.responses import default_headers
from chat.pages.encoding import accepted_encodings
from project.server.compressed_files import (
    content_type,
    directories,
    files,
    hashes,
    missing,
    read,
    version,
)

# `url_prefix` has removed URL_PREFIX from the paths of requests.
PREFIX = settings.STATIC_URL.removeprefix(settings.URL_PREFIX).strip("/")
VERSIONED = re.compile(rf"/{PREFIX}/([0-9a-f]{{12}})/(.+)")
IMMUTABLE = {"Cache-Control": "public, max-age=31536000, immutable"}
REVALIDATED = {"Cache-Control": "no-cache"}
# Files with an address that does not change with the version: path -> name.
FIXED = {"/embed/parley-chat.js": "chat/embed/parley-chat.js"}
# Bytes of one write.
BLOCK = 64 * 1024

logger = logging.getLogger(__name__)


class VersionedStorage(StaticFilesStorage):
    """Adds the version to the URLs of static files, except while DEBUG is on."""

    def url(self, name: str | None) -> str:
        return super().url(name if settings.DEBUG else f"{version()}/{name}")


class StaticFiles(ServeStaticASGI):  # type: ignore[misc]
    """Serves the paths below STATIC_URL and passes all others to the application."""

    METHODS: ClassVar = {"GET", "HEAD"}

    def __init__(self, application: object) -> None:
        # Name, encoding -> the bytes to send.
        self._bodies: dict[tuple[str, str], bytes] = {}
        super().__init__(
            application,
            autorefresh=settings.DEBUG,
            allow_all_origins=True,
            add_headers_function=_add_headers,
        )
        for directory in directories():
            self.add_files(directory, prefix=PREFIX)
        if next(missing(), None):
            logger.warning("static files are not compressed: run manage.py compressstatic")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        name, caching = _find(scope)
        if name not in files():
            await super().__call__(scope, receive, send)
        elif scope["method"] not in self.METHODS:
            plain = {**scope, "path": f"/{PREFIX}/{name}"}
            await super().__call__(plain, receive, send)
        else:
            await self._respond(name, caching, scope, send)

    async def _respond(self, name: str, caching: Mapping[str, str], scope: Any, send: Any) -> None:
        request = _decode(scope["headers"])
        accepted = accepted_encodings(",".join(request.get_all("Accept-Encoding")))
        encoding, body = await self._read(name, accepted)
        etag = f'"{hashes()[name][:16]}{encoding}"'
        headers = {**_headers(name, encoding), **caching, "ETag": etag}
        if etag in request.get("If-None-Match", ""):
            await _send(304, headers, b"", send)
            return
        headers["Content-Length"] = str(len(body))
        await _send(200, headers, body if scope["method"] == "GET" else b"", send)

    async def _read(self, name: str, encodings: Iterable[str]) -> tuple[str, bytes]:
        """Return the first copy that exists, with its encoding, or the file itself.

        It is read in a thread, once; only then is there a switch of threads.
        """
        for encoding in (*encodings, ""):
            body = self._bodies.get((name, encoding)) or await asyncio.to_thread(
                read, name, encoding
            )
            if body is not None:
                self._bodies[name, encoding] = body
                return encoding, body
        raise FileNotFoundError(name)


def _find(scope: Any) -> tuple[str, Mapping[str, str]]:
    """Return the name of the requested file, and its headers; "" for other requests."""
    if scope["type"] != "http":
        return "", {}
    if scope["path"] in FIXED:
        return FIXED[scope["path"]], REVALIDATED
    found = VERSIONED.fullmatch(scope["path"])
    if not found:
        return "", {}
    # A web process of another version may have sent the page. Its files are not the same.
    return found[2], IMMUTABLE if found[1] == version() else REVALIDATED


def _decode(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    return Headers([(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers])


def _headers(name: str, encoding: str) -> dict[str, str]:
    headers = {
        "Content-Type": content_type(name),
        "Vary": "Accept-Encoding",
        # The element of /embed imports modules into pages of other origins.
        "Access-Control-Allow-Origin": "*",
        "Cross-Origin-Resource-Policy": "cross-origin",
        **dict(default_headers(is_api=False)),
    }
    return headers | ({"Content-Encoding": encoding} if encoding else {})


async def _send(status: int, headers: Mapping[str, str], body: bytes, send: Any) -> None:
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    for start in range(0, len(body), BLOCK):
        block = body[start : start + BLOCK]
        await send({"type": "http.response.body", "body": block, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def _add_headers(headers: Headers, path: str, url: str) -> None:  # noqa: ARG001
    for name, value in default_headers(is_api=False):
        headers.setdefault(name, value)
