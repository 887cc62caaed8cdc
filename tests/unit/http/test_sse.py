from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.domain.errors import ModelInvalidResponse
from chat.http import sse
from tests.unit.http.splits import places, split


def read(*chunks: bytes) -> list[bytes]:
    return list(sse.events(chunks))


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_lines_end_in_any_of_the_three_ways(end: bytes) -> None:
    assert read(end.join([b"data: a", b"", b"data: b", b"", b""])) == [b"a", b"b"]


def test_several_data_lines_are_one_event() -> None:
    assert read(b"data: a\ndata:\ndata: b\n\n") == [b"a\n\nb"]


def test_one_space_after_the_colon_is_not_data() -> None:
    assert read(b"data:a\n\ndata: b\n\ndata:  c\n\n") == [b"a", b"b", b" c"]


def test_comments_names_ids_and_unknown_fields_are_left_out() -> None:
    stream = b": ping\n\nevent: message\nid: 7\nretry: 10\nfoo: bar\ndatax: no\ndata: a\n\n"
    assert read(stream) == [b"a"]


def test_a_field_without_colon_is_an_empty_value() -> None:
    assert read(b"data\n\ndata\ndata\n\n") == [b"", b"\n"]


def test_a_byte_order_mark_is_dropped_at_the_start_only() -> None:
    mark = b"\xef\xbb\xbf"
    assert read(mark + b"data: a\n\n" + mark + b"data: b\n\ndata: c\n\n") == [b"a", b"c"]


def test_unicode_line_separators_are_data() -> None:
    text = "a\u2028b\u2029c\x85d\x0be\x0cf".encode()
    assert read(b"data: " + text + b"\n\n") == [text]


def test_an_event_without_its_blank_line_is_dropped() -> None:
    assert read(b"data: a\n\ndata: b\n") == [b"a"]
    assert read(b"data: a\n\ndata: b") == [b"a"]


def test_an_event_is_yielded_before_the_next_chunk_is_asked_for() -> None:
    asked = 0

    def chunks() -> list[bytes]:
        nonlocal asked
        asked += 1
        return [b"data: a\r", b"\r"]

    def stream() -> Iterator[bytes]:
        yield from chunks()
        raise AssertionError("asked for more than was needed")

    assert next(sse.events(stream())) == b"a"
    assert asked == 1


def test_an_endless_line_is_refused_without_being_kept() -> None:
    def stream() -> Iterator[bytes]:
        while True:
            yield b"x" * 65_536

    with pytest.raises(ModelInvalidResponse):
        list(sse.events(stream()))


def test_an_endless_event_is_refused() -> None:
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


@given(lines, st.lists(st.sampled_from([b"\n", b"\r", b"\r\n"]), min_size=1), places)
def test_any_split_of_the_bytes_gives_the_same_events(
    lines: list[bytes], ends: list[bytes], places: list[int]
) -> None:
    stream = b"".join(line + ends[n % len(ends)] for n, line in enumerate(lines))
    assert read(*split(stream, places)) == read(stream)


@given(st.lists(st.text(st.characters(exclude_characters="\r\n", codec="utf-8"))), places)
def test_what_was_written_is_read(texts: list[str], places: list[int]) -> None:
    stream = b"".join(f"data: {text}\n\n".encode() for text in texts)
    assert read(*split(stream, places)) == [text.encode() for text in texts]


@given(st.binary(), places)
def test_garbage_is_read_the_same_however_split(garbage: bytes, places: list[int]) -> None:
    assert read(*split(garbage, places)) == read(garbage)
