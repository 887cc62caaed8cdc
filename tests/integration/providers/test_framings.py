"""However the bytes of a response are framed, split or cut off, the reply is the same or none."""

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat.domain import Reasoning
from chat.providers.plain_prompt import HUMAN
from tests.integration.providers.calls import (
    Stream,
    create_provider,
    long_timeouts,
)
from tests.integration.providers.framings import Framing, framings
from tests.integration.providers.packets import PacketServer, Received
from tests.integration.providers.raw_server import END, STREAM, D, E, RawServer, X, respond
from tests.integration.providers.sent_replies import Sent, sent_replies

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
EVENT_STREAM = "text/event-stream"

few = settings(max_examples=40)
many = settings(max_examples=600)

streams = given(sent_replies(), framings(), st.booleans())


@cache
def server(provider: str, *, think_tags: bool) -> PacketServer:
    return PacketServer(provider=provider, think_tags=think_tags)


def check_same_reply(received: Received, expected: Received) -> None:
    assert type(received.error) is type(expected.error)
    assert received.deltas == expected.deltas
    assert received.reasoning == expected.reasoning
    assert received.completion == expected.completion


def check_stream(sent: Sent, framing: Framing, *, think_tags: bool) -> None:
    model = server(sent.provider, think_tags=think_tags)
    expected = model.receive([HEAD + sent.stream])
    if not think_tags:
        assert expected.error is None
        assert expected.text == sent.text
    response = framing.response(framing.stream(sent.stream), EVENT_STREAM)
    check_same_reply(model.receive(framing.packets(response)), expected)


@few
@streams
def test_framing_of_a_stream_does_not_change_the_reply(
    sent: Sent, framing: Framing, think_tags: bool
) -> None:
    check_stream(sent, framing, think_tags=think_tags)


@pytest.mark.thorough
@many
@streams
def test_many_framings_of_a_stream_do_not_change_the_reply(
    sent: Sent, framing: Framing, think_tags: bool
) -> None:
    check_stream(sent, framing, think_tags=think_tags)


def check_document(sent: Sent, framing: Framing, *, as_lines: bool) -> None:
    """Check one JSON document, or a stream as one document on each line."""
    model = server(sent.provider, think_tags=False)
    canonical, body = [HEAD + sent.document], framing.document(sent.document)
    if as_lines:
        canonical, body = [HEAD + sent.stream], framing.lines(sent.stream)
    expected = model.receive(canonical)
    received = model.receive(framing.packets(framing.response(body, "application/json")))
    assert expected.text == sent.text
    assert received.error is None
    assert received.text == expected.text
    assert received.reasoning == expected.reasoning
    assert received.completion == expected.completion


@few
@streams
def test_framing_of_a_document_does_not_change_the_reply(
    sent: Sent, framing: Framing, as_lines: bool
) -> None:
    check_document(sent, framing, as_lines=as_lines)


@pytest.mark.thorough
@many
@streams
def test_many_framings_of_a_document_do_not_change_the_reply(
    sent: Sent, framing: Framing, as_lines: bool
) -> None:
    check_document(sent, framing, as_lines=as_lines)


def received_text(sent: Sent, size: int) -> str:
    """Return the text of the events that the first `size` bytes of the stream contain."""
    offset = len(sent.head)
    text = ""
    for token, encoded in zip(sent.reply.tokens, sent.tokens, strict=True):
        offset += len(encoded)
        # The end of a stream is the end of an event, too.
        if encoded and offset - len(b"\n\n") <= size:
            text += token
    if sent.provider == "openai":
        return text
    # A call whose only text may be the start of the next turn can be retried.
    return "" if HUMAN.startswith(text.lstrip()) else text.strip()


def finish_offset(sent: Sent) -> int:
    """Return the number of bytes up to the end of the event with the finish reason."""
    start = len(sent.stream) - len(sent.tail)
    reason = sent.tail.index(b'"finish_reason":"')
    return start + sent.tail.index(b"\n\n", reason)


def check_cut(sent: Sent, framing: Framing, size: int) -> None:
    """Check a response of which `size` bytes of the body arrive."""
    model = server(sent.provider, think_tags=False)
    expected = model.receive([HEAD + sent.stream])
    received = model.receive(framing.packets(framing.cut(sent.stream, size, EVENT_STREAM)))
    if size < finish_offset(sent):
        assert received.text == received_text(sent, size)
        assert received.error is not None
        return
    assert received.error is None
    assert received.text == expected.text
    assert received.completion is not None
    assert expected.completion is not None
    assert received.completion.finish_reason is expected.completion.finish_reason
    assert received.completion.usage in {None, expected.completion.usage}


cuts = given(sent_replies(with_extras=False), framings(compressed=False), st.floats(0, 1))


@few
@cuts
def test_cut_stream_gives_its_text_and_no_other_reply(
    sent: Sent, framing: Framing, share: float
) -> None:
    check_cut(sent, framing, round(share * len(sent.stream)))


@pytest.mark.thorough
@many
@cuts
def test_streams_cut_anywhere_give_their_text_and_no_other_reply(
    sent: Sent, framing: Framing, share: float
) -> None:
    check_cut(sent, framing, round(share * len(sent.stream)))


@few
@given(sent_replies(), framings(), st.floats(0, 1), st.booleans())
def test_cut_response_gives_a_part_of_the_reply(
    sent: Sent, framing: Framing, share: float, stream: bool
) -> None:
    model = server(sent.provider, think_tags=False)
    whole = model.receive([HEAD + sent.stream])
    body = framing.stream(sent.stream) if stream else framing.document(sent.document)
    response = framing.response(body, EVENT_STREAM)
    received = model.receive(framing.packets(response[: round(share * len(response))]))
    if received.error is None:
        assert received.text == whole.text
    else:
        assert received.completion is None
        assert whole.text.startswith(received.text)


def test_every_event_of_a_stream_in_single_bytes_is_activity() -> None:
    events = [b": ping\n\n", b"data: {}\n\n", b"event: ping\ndata: x\r\n\r\n"] * 3
    body = b"".join(events) + D + E + X
    for head in (HEAD + body, STREAM + b"%x\r\n%b\r\n" % (len(body), body) + END):
        received = server("openai", think_tags=False).receive(bytes([byte]) for byte in head)
        before = received.items[: received.items.index("Hello")]
        assert before.count(Reasoning()) >= len(events)
        assert received.completion is not None


def test_text_of_a_chunk_is_yielded_before_its_end() -> None:
    for chunk in (b"%x\r\n%b" % (10_000, D), b"%x\r\n%b" % (len(D), D)):
        with RawServer(respond(STREAM, chunk)) as raw:
            stream = Stream(create_provider(raw, timeouts=long_timeouts()))
            assert next(stream) == "Hello"
