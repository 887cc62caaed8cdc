"""Server-Sent Events are parsed independently of chunk boundaries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley_client.sse import events
from tests.unit.http.splits import positions, split

STREAM = (
    b"retry: 1000\r\n\r\n"
    b": hello\n\n"
    b'id: 1\nevent: message.delta\ndata: {"delta":"\xe6\xbc\xa2\xe2\x80\xa8"}\n\n'
    b"data:one\ndata: two\n\n"
    b"data: cut short"
)
EVENTS = [b'{"delta":"\xe6\xbc\xa2\xe2\x80\xa8"}', b"one\ntwo"]


@pytest.mark.parametrize("size", [1, 2, 3, 7, len(STREAM)])
def test_events_do_not_depend_on_chunk_boundaries(size: int) -> None:
    chunks = [STREAM[at : at + size] for at in range(0, len(STREAM), size)]
    assert [event for event in events(chunks) if event] == EVENTS


def test_comment_yields_an_empty_event() -> None:
    assert list(events([b": ping\n"])) == [b""]


def test_comment_inside_an_event_does_not_end_it() -> None:
    assert list(events([b"data: one\n: ping\ndata: two\n\n"])) == [b"", b"one\ntwo"]


@given(
    st.lists(st.sampled_from([b"data: {}", b"data:x", b"data", b"", b": y", b"id: 5", b"d\xe9"])),
    st.lists(st.sampled_from([b"\n", b"\r", b"\r\n"]), min_size=1),
    positions,
)
def test_any_line_ends_and_chunks_give_the_same_events(
    lines: list[bytes], ends: list[bytes], positions: list[int]
) -> None:
    # The end of a line must not be one with that of an empty line after it.
    stream = b"".join(
        line + (ends[number % len(ends)] if line else b"\r\n") for number, line in enumerate(lines)
    )
    expected = list(events([b"".join(line + b"\n" for line in lines)]))
    assert list(events(split(stream, positions))) == expected


def test_byte_order_mark_is_dropped() -> None:
    assert list(events([b"\xef", b"\xbb\xbfdata: x\n\n"])) == [b"x"]
