"""Incremental parser of Server-Sent Events (WHATWG HTML, "Interpreting an event stream")."""

from collections.abc import Iterable, Iterator


def events(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the data of each event, and b"" for each comment (a heartbeat).

    Event names and ids are dropped: Parley's data contains both. Lines end with LF or CR LF. An
    incomplete event at the end of the stream is dropped.
    """
    data: list[bytes] = []
    for line in _lines(chunks):
        name, _, value = line.partition(b":")
        if name == b"data":
            data.append(value.removeprefix(b" "))
        elif not line:
            yield b"\n".join(data)
            data.clear()
        elif not name:
            yield b""


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield complete lines without their line ends."""
    parts: list[bytes] = []
    for chunk in chunks:
        *complete, rest = chunk.split(b"\n")
        for line in complete:
            yield b"".join([*parts, line]).removesuffix(b"\r")
            parts.clear()
        if rest:
            parts.append(rest)
