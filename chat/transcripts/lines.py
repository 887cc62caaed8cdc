"""Lines of a transcript file: read within limits, and parsed."""

from codecs import BOM_UTF8
from collections.abc import Iterator
from typing import BinaryIO

from chat.domain.errors import InvalidRequest
from chat.settings import chat_settings
from chat.transcripts import jsonl
from chat.transcripts.jsonl import Transcript


def parsed_lines(stream: BinaryIO) -> Iterator[tuple[int, Transcript | InvalidRequest]]:
    """Yield number and contents, or error, of each line that is not blank."""
    for number, line in enumerate(_read(stream), start=1):
        if line.strip():
            yield number, _parse(line)


def _read(stream: BinaryIO) -> Iterator[bytes]:
    """Yield the lines, of which one that is too long is cut after `_max_bytes() + 1`.

    A byte order mark at the start is skipped.
    """
    limit = _max_bytes() + 1
    if stream.read(len(BOM_UTF8)) != BOM_UTF8:
        stream.seek(0)
    while line := stream.readline(limit):
        yield line
        while len(line) == limit and not line.endswith(b"\n"):
            line = stream.readline(limit)


def _max_bytes() -> int:
    """Return the maximum length of a line: JSON can take twice the bytes of its texts, and more."""
    return 2 * chat_settings.MAX_SESSION_BYTES


def _parse(line: bytes) -> Transcript | InvalidRequest:
    if len(line.rstrip(b"\n")) > _max_bytes():
        return InvalidRequest(f"The line is too long: at most {_max_bytes()} bytes.")
    try:
        return jsonl.parse(line)
    except InvalidRequest as error:
        return error
