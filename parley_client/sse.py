"""Server-Sent Events, read as they arrive (WHATWG HTML, "Interpreting an event stream")."""

from collections.abc import Iterable, Iterator


def events(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the data of each event, and b"" for each comment: a sign of life.

    Names and ids are left out: Parley's data hold both. Lines end with LF or CR LF. An event that
    the end of the stream cuts short is left out, too.
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
    """Yield lines without their ends, however the chunks split them."""
    parts: list[bytes] = []
    for chunk in chunks:
        *ended, rest = chunk.split(b"\n")
        for line in ended:
            yield b"".join([*parts, line]).removesuffix(b"\r")
            parts.clear()
        if rest:
            parts.append(rest)
