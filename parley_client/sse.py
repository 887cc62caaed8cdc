"""Incremental parser of Server-Sent Events (WHATWG HTML, "Interpreting an event stream")."""

from collections.abc import Iterable, Iterator

_BOM = b"\xef\xbb\xbf"


def events(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the data of each event, and b"" for each comment (a heartbeat).

    Event names and ids are dropped: Parley's data contains both. An incomplete event at the end of
    the stream is dropped.
    """
    data: list[bytes] = []
    for number, line in enumerate(_lines(chunks)):
        name, _, value = (line if number else line.removeprefix(_BOM)).partition(b":")
        if name == b"data":
            data.append(value.removeprefix(b" "))
        elif not line:
            yield b"\n".join(data)
            data.clear()
        elif not name:
            yield b""


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield complete lines without their LF, CR LF or CR, however the chunks are split."""
    parts: list[bytes] = []
    after_cr = False
    for each in filter(None, chunks):
        # The CR has ended the line already.
        chunk = each[1:] if after_cr and each.startswith(b"\n") else each
        after_cr = each.endswith(b"\r")
        for line in chunk.splitlines(keepends=True):
            parts.append(line)
            if line.endswith((b"\n", b"\r")):
                yield b"".join(parts).rstrip(b"\r\n")
                parts.clear()
