"""Compressed copies of static files are written ahead of requests; requests only read them."""

import asyncio
from pathlib import Path
from typing import Any

import brotli  # type: ignore[import-untyped]
import pytest

from project.server import compressed_files
from project.server.static_files import StaticFiles

NAME = "chat/docs.js"
BODY = Path("chat/static/chat/docs.js").read_bytes()


@pytest.fixture(autouse=True)
def few_files(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the copies in a directory of the test, and only those of one file."""
    settings.STATIC_ROOT = tmp_path
    files = {NAME: compressed_files.files()[NAME]}
    monkeypatch.setattr(compressed_files, "files", lambda: files)


def request(encoding: str) -> tuple[bytes, bytes]:
    """Return the encoding and body of the response to a new web process."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": f"/static/{compressed_files.version()}/{NAME}",
        "headers": [(b"accept-encoding", encoding.encode())],
    }
    asyncio.run(StaticFiles(None)(scope, None, send))
    headers = dict(sent[0]["headers"])
    return headers.get(b"content-encoding", b""), b"".join(each["body"] for each in sent[1:])


def test_requests_compress_nothing() -> None:
    assert request("br") == (b"", BODY)
    assert compressed_files.compress() == 2
    encoding, body = request("gzip, br")
    assert (encoding, brotli.decompress(body)) == (b"br", BODY)


def test_only_missing_copies_are_written_and_outdated_ones_deleted(tmp_path: Path) -> None:
    outdated, other = tmp_path / f"{'0' * 64}.br", tmp_path / "notes.br"
    for path in (outdated, other):
        path.touch()
    assert [compressed_files.compress() for _ in range(2)] == [2, 0]
    assert not outdated.exists()
    assert other.exists()
