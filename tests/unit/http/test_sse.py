from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.domain.errors import ModelInvalidResponse
from chat.http import sse
from chat.http.sse import COMMENT, UNFRAMED
from tests.unit.http.splits import positions, split


def read(*chunks: bytes) -> list[bytes]:
    """Return the data of the events without a name, and nothing else."""
    return [data for name, data in sse.events(chunks) if data and not name]


def without_comments(chunks: Iterable[bytes]) -> list[sse.Event]:
    """Return the events. The number of comments depends on the chunks."""
    return [event for event in sse.events(chunks) if event is not COMMENT]


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_lines_end_in_any_of_the_three_ways(end: bytes) -> None:
    assert read(end.join([b"data: a", b"", b"data: b", b"", b""])) == [b"a", b"b"]


def test_several_data_lines_are_one_event() -> None:
    assert read(b"data: a\ndata:\ndata: b\n\n") == [b"a\n\nb"]


def test_one_space_after_the_colon_is_not_data() -> None:
    assert read(b"data:a\n\ndata: b\n\ndata:  c\n\n") == [b"a", b"b", b" c"]


def test_event_has_its_name_and_no_other() -> None:
    stream = b"event: ping\ndata: a\n\ndata: b\n\nevent:error\nid: 7\nretry: 10\ndata: c\n\n"
    events = [(b"ping", b"a"), (b"", b"b"), (b"error", b"c")]
    assert list(sse.events([stream])) == [*events, COMMENT]


@pytest.mark.case("C10")
def test_comment_is_yielded_before_the_next_chunk() -> None:
    def stream() -> Iterator[bytes]:
        yield b": ping\n"
        yield b"\n"
        raise AssertionError("read more than needed")

    events = sse.events(stream())
    assert [next(events), next(events)] == [COMMENT, COMMENT]


@pytest.mark.case("C15")
def test_lines_outside_of_events_are_yielded() -> None:
    stream = b'data: a\n\n{"error":1}\nerror: {"code":5}\nupstream reset\nfoo: bar\n'
    assert list(sse.events([stream])) == [
        (b"", b"a"),
        (UNFRAMED, b'{"error":1}'),
        (b"error", b'{"code":5}'),
        (UNFRAMED, b"upstream reset"),
        (UNFRAMED, b"foo: bar"),
        COMMENT,
    ]


def test_field_without_colon_is_an_empty_value() -> None:
    assert list(sse.events([b"data\n\ndata\ndata\n\n"]))[:2] == [(b"", b""), (b"", b"\n")]


def test_byte_order_mark_is_dropped_at_the_start_only() -> None:
    mark = sse.BOM
    assert read(mark + b"data: a\n\n" + mark + b"data: b\n\ndata: c\n\n") == [b"a", b"c"]


def test_unicode_line_separators_are_data() -> None:
    text = "a\u2028b\u2029c\x85d\x0be\x0cf".encode()
    assert read(b"data: " + text + b"\n\n") == [text]


@pytest.mark.case("C03")
@pytest.mark.parametrize("end", [b"\n", b"", b"\r"])
def test_end_of_the_stream_ends_an_event(end: bytes) -> None:
    assert read(b"data: a\n\ndata: b" + end) == [b"a", b"b"]


def test_event_is_yielded_before_the_next_chunk() -> None:
    def stream() -> Iterator[bytes]:
        yield b"data: a\r"
        yield b"\r"
        raise AssertionError("read more than needed")

    assert next(sse.events(stream())) == (b"", b"a")


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
        st.sampled_from([b"", b"data", b"data:", b": note", b"event: e", b"data: {}", b"{}", b"x"]),
        st.text(st.characters(exclude_characters="\r\n", codec="utf-8")).map(
            lambda text: b"data: " + text.encode()
        ),
    )
)


@given(lines, st.lists(st.sampled_from([b"\n", b"\r", b"\r\n"]), min_size=1), positions)
def test_any_split_of_the_bytes_gives_the_same_events(
    lines: list[bytes], ends: list[bytes], positions: list[int]
) -> None:
    stream = b"".join(line + ends[n % len(ends)] for n, line in enumerate(lines))
    assert without_comments(split(stream, positions)) == without_comments([stream])


@given(st.lists(st.text(st.characters(exclude_characters="\r\n", codec="utf-8"))), positions)
def test_written_events_are_read(texts: list[str], positions: list[int]) -> None:
    stream = b"".join(f"data: {text}\n\n".encode() for text in texts)
    assert read(*split(stream, positions)) == [text.encode() for text in texts if text]


@given(st.binary(), positions)
def test_any_split_of_garbage_gives_the_same_events(garbage: bytes, positions: list[int]) -> None:
    assert without_comments(split(garbage, positions)) == without_comments([garbage])


def test_empty_chunk_between_cr_and_lf_changes_nothing() -> None:
    assert read(b"data: a\r", b"", b"\ndata: b\n") == [b"a\nb"]


def test_comments_of_a_packet_share_an_event() -> None:
    assert list(sse.events([b":\n" * 1000])) == [COMMENT] * (1000 // sse.COMMENTS_PER_EVENT + 1)
    assert list(sse.events([b": a\n", b": b\n"]))[:2] == [COMMENT] * 2


@pytest.mark.parametrize("line", [b":\n", b"\n", b": keep-alive\r\n"])
def test_stream_of_comments_only_is_rejected(line: bytes) -> None:
    packet = line * (64 * 1024 // len(line))
    with pytest.raises(ModelInvalidResponse):
        list(sse.events([packet] * 40))
