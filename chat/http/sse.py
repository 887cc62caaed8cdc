"""Parse Server-Sent Events from bytes as they arrive.

Follows the section "Interpreting an event stream" of the WHATWG standard. `requests.iter_lines` is
no alternative: it waits for a full buffer, and splits at U+2028, which is data here.
"""

from collections.abc import Iterable, Iterator
from itertools import chain

from chat.domain.errors import ModelInvalidResponse

# Of one line, and of one event's data. A delta has some hundred.
MAX_BYTES = 1024 * 1024


def events(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the data of each event as soon as its blank line arrives.

    Event names, ids and comments are skipped. So is an event that the end of the stream cuts off.

    Raises:
        ModelInvalidResponse: a line or an event's data is longer than `MAX_BYTES`.
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
    """Yield the lines of a stream without their CR, LF or CR LF, however the chunks are split."""
    parts: list[bytes] = []
    size = 0
    after_cr = False
    for chunk in filter(None, chunks):
        skip_lf = after_cr and chunk.startswith(b"\n")  # the CR has ended the line already
        after_cr = chunk.endswith(b"\r")
        for part in (chunk[1:] if skip_lf else chunk).splitlines(keepends=True):
            size += len(part)
            if size > MAX_BYTES:
                raise ModelInvalidResponse
            parts.append(part)
            if part.endswith((b"\n", b"\r")):
                yield b"".join(parts).rstrip(b"\r\n")
                parts, size = [], 0
