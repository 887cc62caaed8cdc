"""Compression of pages that are the same for all users, and of static files.

No page with a secret is compressed: its length could tell what it contains.
"""

import gzip
import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import brotli  # type: ignore[import-untyped]
from django.http import HttpRequest, HttpResponse


def _brotli(body: bytes) -> bytes:
    # Levels 10 and 11 save 8 % more and take ten times as long: half a minute for all static files.
    return brotli.compress(body, quality=9)  # type: ignore[no-any-return]


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, 9, mtime=0)


# The best first.
ENCODERS: dict[str, Callable[[bytes], bytes]] = {"br": _brotli, "gzip": _gzip}


def accepted_encodings(header: str) -> list[str]:
    """Return the encodings that an Accept-Encoding header allows, the best first."""
    accepted = set(_accepted(header))
    return [name for name in ENCODERS if name in accepted]


def _accepted(header: str) -> Iterator[str]:
    for item in header.lower().split(","):
        encoding, _, quality = item.partition(";")
        if quality.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}:
            yield encoding.strip()


@dataclass(frozen=True, slots=True)
class EncodedPage:
    """A page in all encodings; "" is the page itself."""

    bodies: Mapping[str, bytes]
    digest: str


@lru_cache(maxsize=8)
def encode(body: bytes) -> EncodedPage:
    """Return the page in all encodings. The web process does this once, when it starts."""
    bodies = {name: encoder(body) for name, encoder in ENCODERS.items()}
    return EncodedPage({**bodies, "": body}, hashlib.sha256(body).hexdigest()[:16])


def respond(request: HttpRequest, body: bytes, headers: Mapping[str, str]) -> HttpResponse:
    """Return the page as the client accepts it, or 304 if the client has it."""
    page = encode(body)
    encoding = next(iter(accepted_encodings(request.headers.get("Accept-Encoding", ""))), "")
    etag = f'"{page.digest}{encoding}"'
    # With 304, too: browsers replace the headers that they have stored.
    sent = {**headers, "Cache-Control": "no-cache", "ETag": etag, "Vary": "Accept-Encoding"}
    if etag in request.headers.get("If-None-Match", ""):
        return HttpResponse(status=304, headers=sent)
    if encoding:
        sent["Content-Encoding"] = encoding
    return HttpResponse(page.bodies[encoding], headers=sent)
