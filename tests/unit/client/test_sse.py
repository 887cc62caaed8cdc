"""Server-Sent Events are parsed independently of chunk boundaries."""

import pytest

from parley_client.sse import events

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
