"""Parse Server-Sent Events from bytes as they arrive.

Follows the section "Interpreting an event stream" of the WHATWG standard, and also yields what real
servers add to it: the last event without its blank line, and lines without a field name.
`requests.iter_lines` is no alternative: it waits for a full buffer, and splits at U+2028, which is
data here.
"""

from collections.abc import Iterable, Iterator

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
# Maximum size of all comments and empty lines of a stream. Servers send some bytes in a second.
MAX_COMMENT_BYTES = 1024 * 1024
# This number of comments in one chunk yields one `COMMENT`: each of these passes through the whole
# reading of a reply.
COMMENTS_PER_EVENT = 100


def events(chunks: Iterable[bytes]) -> Iterator[Event]:
    """Yield the events of a whole stream; see `Parser`."""
    parser = Parser()
    for chunk in chunks:
        yield from parser.feed(chunk)
    yield from parser.end()


class Parser:
    """Parses a stream as it arrives. Ids and retry times are skipped."""

    def __init__(self) -> None:
        self._lines = _Lines()
        self._is_at_start = True
        self._name = b""
        self._data: list[bytes] = []
        self._size = 0
        self._comment_bytes = 0

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Yield each event as soon as its blank line arrives, and `COMMENT` for comments.

        Raises:
            ModelInvalidResponse: a line or an event's data is longer than `MAX_BYTES`, or all
                comments are longer than `MAX_COMMENT_BYTES`.
        """
        comments = 0
        for line in self._lines.feed(chunk):
            event = self._read(line)
            if event is COMMENT:
                self._count_comment(line)
                comments += 1
                if comments % COMMENTS_PER_EVENT == 1:
                    yield event
            elif event:
                yield event
        self._lines.check_size()

    def end(self) -> Iterator[Event]:
        """Yield the last events: the end of the stream counts as a blank line."""
        for line in (self._lines.end(), b""):
            if line is not None and (event := self._read(line)):
                yield event

    def _read(self, line: bytes) -> Event | None:
        if self._is_at_start:
            self._is_at_start = False
            line = line.removeprefix(BOM)
        if line.startswith(b"data:"):
            self._add_data(line[6:] if line.startswith(b"data: ") else line[5:], len(line))
        elif not line:
            return self._end_event()
        elif line.startswith(b"event:"):
            self._name = line[6:].strip()
        elif line == b"data":
            self._data.append(b"")
        else:
            return _other_line(line)
        return None

    def _add_data(self, data: bytes, size: int) -> None:
        self._data.append(data)
        self._size += size
        if self._size > MAX_BYTES:
            raise _too_long("an event")

    def _count_comment(self, line: bytes) -> None:
        self._comment_bytes += len(line) + 1
        if self._comment_bytes > MAX_COMMENT_BYTES:
            raise _too_long("the comments of a stream")

    def _end_event(self) -> Event:
        event = (self._name, b"\n".join(self._data)) if self._data else COMMENT
        self._name, self._data, self._size = b"", [], 0
        return event


def _other_line(line: bytes) -> Event | None:
    if line.startswith((b"id:", b"retry:")):
        return None
    if line.startswith(b":"):
        return COMMENT
    if line.startswith(b"error:"):  # llama.cpp
        return ERROR, line[6:].strip()
    return UNFRAMED, line


class _Lines:
    """Splits a stream into lines that end with CR, LF or CR LF, however its chunks are split."""

    def __init__(self) -> None:
        # The start of a line that the next chunk continues.
        self._parts: list[bytes] = []
        self._size = 0
        self._is_after_cr = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the lines that end in this chunk."""
        if not chunk:
            return []
        # The CR has ended the line already.
        if self._is_after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        self._is_after_cr = chunk.endswith(b"\r")
        found = chunk.splitlines()
        rest = found.pop() if found and not chunk.endswith((b"\n", b"\r")) else b""
        if self._parts and found:
            found[0] = b"".join(self._parts) + found[0]
            self._parts, self._size = [], 0
        if rest:
            self._parts.append(rest)
            self._size += len(rest)
        return found

    def check_size(self) -> None:
        """Check the line that has not ended yet.

        Raises:
            ModelInvalidResponse: it is longer than `MAX_BYTES`.
        """
        if self._size > MAX_BYTES:
            raise _too_long("a line")

    def end(self) -> bytes | None:
        """Return the last line if it has no end."""
        return b"".join(self._parts) if self._parts else None


def _too_long(what: str) -> ModelInvalidResponse:
    error = ModelInvalidResponse()
    error.__cause__ = ValueError(f"{what}: longer than {MAX_BYTES} bytes")
    return error
