"""Server-Sent Events, read from bytes as they arrive.

After the WHATWG standard's section on interpreting an event stream. `requests.iter_lines` is no
substitute: it waits for a full buffer and splits at U+2028, which is data here.
"""

from collections.abc import Iterable, Iterator
from itertools import chain

from chat.domain.errors import ModelInvalidResponse

MAX_BYTES = 1024 * 1024
"""Most bytes of one line and of one event's data; a delta has some hundred."""


def events(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the data of each event as soon as its blank line is there.

    Names, ids and comments are left out; so is an event that the end of the stream cuts short.

    Raises:
        ModelInvalidResponse: a line or an event's data is longer than `MOST_BYTES`.
    """
    data: list[bytes] = []
    size = 0
    stream = lines(chunks)
    first = next(stream, b"").removeprefix(b"\xef\xbb\xbf")
    for line in chain((first,), stream):
        if line.startswith(b"data:"):
            data.append(line[6:] if line.startswith(b"data: ") else line[5:])
            size += len(line)
            if size > MAX_BYTES:
                raise ModelInvalidResponse
        elif not line and data:
            yield data[0] if len(data) == 1 else b"\n".join(data)
            data, size = [], 0
        elif line == b"data":
            data.append(b"")


def lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines of a stream, without their ends: CR, LF or CR LF, split wherever."""
    parts: list[bytes] = []
    size = 0
    after_cr = False
    for chunk in filter(None, chunks):
        skip = after_cr and chunk.startswith(b"\n")  # the CR has ended the line already
        after_cr = chunk.endswith(b"\r")
        for part in (chunk[1:] if skip else chunk).splitlines(keepends=True):
            size += len(part)
            if size > MAX_BYTES:
                raise ModelInvalidResponse
            parts.append(part)
            if part.endswith((b"\n", b"\r")):
                yield b"".join(parts).rstrip(b"\r\n")
                parts, size = [], 0
