from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.domain.errors import ModelInvalidResponse
from chat.http import sse
from tests.unit.http.splits import positions, split


def read(*chunks: bytes) -> list[bytes]:
    return list(sse.events(chunks))


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_all_line_endings_are_accepted(end: bytes) -> None:
    assert read(end.join([b"data: a", b"", b"data: b", b"", b""])) == [b"a", b"b"]


def test_data_lines_of_an_event_are_joined() -> None:
    assert read(b"data: a\ndata:\ndata: b\n\n") == [b"a\n\nb"]


def test_one_space_after_the_colon_is_removed() -> None:
    assert read(b"data:a\n\ndata: b\n\ndata:  c\n\n") == [b"a", b"b", b" c"]


def test_other_fields_and_comments_are_skipped() -> None:
    stream = b": ping\n\nevent: message\nid: 7\nretry: 10\nfoo: bar\ndatax: no\ndata: a\n\n"
    assert read(stream) == [b"a"]


def test_field_without_colon_is_empty() -> None:
    assert read(b"data\n\ndata\ndata\n\n") == [b"", b"\n"]


def test_byte_order_mark_is_removed_at_the_start_only() -> None:
    mark = b"\xef\xbb\xbf"
    assert read(mark + b"data: a\n\n" + mark + b"data: b\n\ndata: c\n\n") == [b"a", b"c"]


def test_unicode_line_separators_are_data() -> None:
    text = "a\u2028b\u2029c\x85d\x0be\x0cf".encode()
    assert read(b"data: " + text + b"\n\n") == [text]


def test_event_without_blank_line_is_dropped() -> None:
    assert read(b"data: a\n\ndata: b\n") == [b"a"]
    assert read(b"data: a\n\ndata: b") == [b"a"]


def test_event_is_yielded_before_the_next_chunk_is_read() -> None:
    reads = 0

    def chunks() -> list[bytes]:
        nonlocal reads
        reads += 1
        return [b"data: a\r", b"\r"]

    def stream() -> Iterator[bytes]:
        yield from chunks()
        raise AssertionError("read more than needed")

    assert next(sse.events(stream())) == b"a"
    assert reads == 1


def test_endless_line_is_rejected() -> None:
    def stream() -> Iterator[bytes]:
        while True:
            yield b"x" * 65_536

    with pytest.raises(ModelInvalidResponse):
        list(sse.events(stream()))


def test_endless_event_is_rejected() -> None:
    def stream() -> Iterator[bytes]:
        while True:
            yield b"data: " + b"x" * 65_536 + b"\n"

    with pytest.raises(ModelInvalidResponse):
        list(sse.events(stream()))


lines = st.lists(
    st.one_of(
        st.sampled_from([b"", b"data", b"data:", b": note", b"event: e", b"data: {}"]),
        st.text(st.characters(exclude_characters="\r\n", codec="utf-8")).map(
            lambda text: b"data: " + text.encode()
        ),
    )
)


@given(lines, st.lists(st.sampled_from([b"\n", b"\r", b"\r\n"]), min_size=1), positions)
def test_events_do_not_depend_on_chunk_boundaries(
    lines: list[bytes], ends: list[bytes], positions: list[int]
) -> None:
    stream = b"".join(line + ends[n % len(ends)] for n, line in enumerate(lines))
    assert read(*split(stream, positions)) == read(stream)


@given(st.lists(st.text(st.characters(exclude_characters="\r\n", codec="utf-8"))), positions)
def test_written_events_are_read(texts: list[str], positions: list[int]) -> None:
    stream = b"".join(f"data: {text}\n\n".encode() for text in texts)
    assert read(*split(stream, positions)) == [text.encode() for text in texts]


@given(st.binary(), positions)
def test_garbage_does_not_depend_on_chunk_boundaries(garbage: bytes, positions: list[int]) -> None:
    assert read(*split(garbage, positions)) == read(garbage)
