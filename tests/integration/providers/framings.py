"""The ways in which the same events and documents can be sent over HTTP."""

import gzip
import json
import random
import zlib
from dataclasses import dataclass

from hypothesis import strategies as st

from tests.unit.http.splits import split

BOM = b"\xef\xbb\xbf"
LINE_ENDS = (b"\n", b"\r\n", b"\r")
# Lines between events that mean nothing.
NOISE = (b": ping", b":", b"id: 5", b"id:", b"retry: 10", b"event: message", b"event:")
TRAILERS = b"Server-Timing: total;dur=12\r\nX-Checksum: 1\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Framing:
    """How a body is sent. The details vary with `seed`."""

    seed: int
    # Empty: each line has another one.
    line_end: bytes
    field: bytes
    # Whether JSON has line breaks, so that an event has several data lines.
    multiline: bool
    # Whether JSON has \\u escapes for all but ASCII.
    ascii: bool
    noise: bool
    bom: bool
    # `gzip`, `deflate`, `raw`, or none.
    compression: str
    # The value of `Content-Encoding`.
    encoding: str
    # `close`, `length` or `chunked`.
    transfer: str
    extensions: bool
    trailers: bool
    # Where the body is split into HTTP chunks, or compressed data flushed.
    chunk_positions: list[int]
    # Where the response is split into packets; none for single bytes.
    positions: list[int] | None

    def stream(self, canonical: bytes) -> bytes:
        """Return the events of a stream in another framing."""
        source = random.Random(self.seed)
        lines: list[bytes] = []
        for event in canonical.split(b"\n\n")[:-1]:
            if self.noise:
                lines += source.sample(NOISE, source.randint(0, 2))
                lines += [b""] * source.randint(0, 1)
            for line in event.split(b"\n"):
                lines += self._data_lines(line) if line.startswith(b"data:") else [line]
            lines.append(b"")
        return BOM * self.bom + self._join(lines, source)

    def document(self, canonical: bytes) -> bytes:
        """Return a JSON document in another layout."""
        indent = 2 if self.multiline else None
        text = json.dumps(json.loads(canonical), ensure_ascii=self.ascii, indent=indent)
        blank = self.line_end if self.noise else b""
        return BOM * self.bom + blank + text.encode() + blank

    def lines(self, canonical: bytes) -> bytes:
        """Return the JSON of the events of a stream, one document per line."""
        end = b"\r\n" if self.line_end == b"\r\n" else b"\n"
        lines = [line.removeprefix(b"data:").strip() for line in canonical.split(b"\n")]
        found = [line for line in lines if line.startswith(b"{")]
        body = (end * (1 + self.noise)).join(found)
        return BOM * self.bom + body + end * (self.seed % 2)

    def response(self, body: bytes, content_type: str) -> bytes:
        """Return the whole response."""
        body = self._compress(body)
        head = self._head(body, content_type)
        return head + (b"".join(self.chunks(body)) if self.transfer == "chunked" else body)

    def cut(self, body: bytes, size: int, content_type: str) -> bytes:
        """Return the response up to `size` bytes of its body, which is not compressed."""
        response = self._head(body, content_type)
        if self.transfer != "chunked":
            return response + body[:size]
        source = random.Random(self.seed)
        left = size
        for chunk in self.chunks(body):
            line, _, data = chunk.partition(b"\r\n")
            count = min(left, len(data) - 2)
            if count <= 0:  # it is cut off somewhere in the line with its size
                return response + line[: source.randint(0, len(line))]
            response += line + b"\r\n" + data[:count]
            left -= count
            response += b"\r\n" if left else b"\r\n"[: source.randint(0, 2)]
        return response

    def _head(self, body: bytes, content_type: str) -> bytes:
        head = [f"Content-Type: {content_type}"]
        if self.encoding:
            head.append(f"Content-Encoding: {self.encoding}")
        head += {
            "close": ["Connection: close"],
            "length": [f"Content-Length: {len(body)}"],
            "chunked": ["Transfer-Encoding: chunked"],
        }[self.transfer]
        return "\r\n".join(["HTTP/1.1 200 OK", *head]).encode() + b"\r\n\r\n"

    def packets(self, response: bytes) -> list[bytes]:
        if self.positions is None:
            return [response[index : index + 1] for index in range(len(response))]
        return [piece for piece in split(response, self.positions) if piece]

    def chunks(self, body: bytes) -> list[bytes]:
        """Return `body` in HTTP chunks, and the end of the body."""
        extension = b';name="a value";x' if self.extensions else b""
        pieces = [piece for piece in split(body, self.chunk_positions) if piece]
        chunks = [b"%x%b\r\n%b\r\n" % (len(piece), extension, piece) for piece in pieces]
        return [*chunks, b"0%b\r\n%b\r\n" % (extension, TRAILERS if self.trailers else b"")]

    def _data_lines(self, line: bytes) -> list[bytes]:
        value = line.removeprefix(b"data:").removeprefix(b" ")
        if value.startswith(b"{"):
            indent = 1 if self.multiline else None
            text = json.dumps(json.loads(value), ensure_ascii=self.ascii, indent=indent)
            value = text.encode("utf-8", "surrogatepass")
        return [self.field + part for part in value.split(b"\n")]

    def _join(self, lines: list[bytes], source: random.Random) -> bytes:
        stream = b""
        for line in lines:
            end = self.line_end or source.choice(LINE_ENDS)
            if not line and end == b"\n" and stream.endswith(b"\r"):
                end = b"\r\n"  # CR and LF would be one end of a line
            stream += line + end
        return stream

    def _compress(self, body: bytes) -> bytes:
        if not self.compression:
            return body
        if self.compression == "gzip" and self.seed % 2:
            return b"".join(map(gzip.compress, split(body, self.chunk_positions)))
        bits = {"gzip": 31, "deflate": 15, "raw": -15}[self.compression]
        packer = zlib.compressobj(level=self.seed % 10, wbits=bits)
        packed = b""
        for piece in split(body, self.chunk_positions):
            packed += packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH)
        return packed + packer.flush()


positions = st.lists(st.integers(0, 6000), max_size=10)


@st.composite
def framings(draw: st.DrawFn, *, compressed: bool = True) -> Framing:
    compressions = ["", "", "gzip", "deflate", "raw"] if compressed else [""]
    compression = draw(st.sampled_from(compressions))
    encodings = {"": ["", "identity", "gzip", "deflate"], "gzip": ["gzip", "", "x-gzip"]}
    return Framing(
        seed=draw(st.integers(0, 10_000)),
        line_end=draw(st.sampled_from([*LINE_ENDS, b""])),
        field=draw(st.sampled_from([b"data: ", b"data:"])),
        multiline=draw(st.booleans()),
        ascii=draw(st.booleans()),
        noise=draw(st.booleans()),
        bom=draw(st.booleans()),
        compression=compression,
        encoding=draw(st.sampled_from(encodings.get(compression, ["deflate"]))),
        transfer=draw(st.sampled_from(["chunked", "close", "length"])),
        extensions=draw(st.booleans()),
        trailers=draw(st.booleans()),
        chunk_positions=draw(positions),
        positions=None if draw(st.integers(0, 7)) == 7 else draw(positions),
    )
