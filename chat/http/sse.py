"""Parse Server-Sent Events from bytes as they arrive.

Follows the section "Interpreting an event stream" of the WHATWG standard, and also yields what real
servers add to it: the last event without its blank line, and lines without a field name.
`requests.iter_lines` is no alternative: it waits for a full buffer, and splits at U+2028, which is
data here.
"""

from collections.abc import Iterable, Iterator
from itertools import chain

from chat.domain.errors import ModelInvalidResponse

# An event's name, which is empty in most streams, and its data.
Event = tuple[bytes, bytes]
# A comment or an empty line, with which some servers keep the connection alive.
COMMENT: Event = (b"", b"")
# The name of a line outside of events, such as an error that a gateway wrote into the stream. No
# event can have it.
UNFRAMED = b"\n"
# The name of events that report an error.
ERROR = b"error"

BOM = b"\xef\xbb\xbf"
# Maximum size of one line, and of one event's data. A delta has some hundred bytes.
MAX_BYTES = 1024 * 1024


def events(chunks: Iterable[bytes]) -> Iterator[Event]:
    """Yield each event as soon as its blank line arrives, and `COMMENT` for each comment.

    The end of the stream counts as a blank line. Ids and retry times are skipped.

    Raises:
        ModelInvalidResponse: a line or an event's data is longer than `MAX_BYTES`.
    """
    name = b""
    data: list[bytes] = []
    size = 0
    stream = lines(chunks)
    first = next(stream, b"").removeprefix(BOM)
    for line in chain((first,), stream, (b"",)):
        if line.startswith(b"data:"):
            data.append(line[6:] if line.startswith(b"data: ") else line[5:])
            size += len(line)
            if size > MAX_BYTES:
                raise _too_long("an event")
        elif not line:
            yield (name, b"\n".join(data)) if data else COMMENT
            name, data, size = b"", [], 0
        elif line.startswith(b"event:"):
            name = line[6:].strip()
        elif line == b"data":
            data.append(b"")
        elif event := _other_line(line):
            yield event


def _other_line(line: bytes) -> Event | None:
    if line.startswith((b"id:", b"retry:")):
        return None
    if line.startswith(b":"):
        return COMMENT
    if line.startswith(b"error:"):  # llama.cpp
        return ERROR, line[6:].strip()
    return UNFRAMED, line


def lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines of a stream without their CR, LF or CR LF, however the chunks are split."""
    # The start of a line that the next chunk continues.
    parts: list[bytes] = []
    size = 0
    after_cr = False
    for each in filter(None, chunks):
        # The CR has ended the line already.
        chunk = each[1:] if after_cr and each.startswith(b"\n") else each
        after_cr = chunk.endswith(b"\r")
        found = chunk.splitlines()
        rest = found.pop() if found and not chunk.endswith((b"\n", b"\r")) else b""
        if parts and found:
            found[0] = b"".join(parts) + found[0]
            parts, size = [], 0
        yield from found
        if rest:
            parts.append(rest)
            size += len(rest)
            if size > MAX_BYTES:
                raise _too_long("a line")
    if parts:
        yield b"".join(parts)


def _too_long(what: str) -> ModelInvalidResponse:
    error = ModelInvalidResponse()
    error.__cause__ = ValueError(f"{what} is longer than {MAX_BYTES} bytes")
    return error
