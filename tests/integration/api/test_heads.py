"""Heads of requests: bounded in size and in time."""

from collections.abc import Callable
from contextlib import ExitStack, suppress

import pytest

from tests.harness.waiting import wait_until
from tests.integration.api.calls import Api, Wire

HEAD = b"GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@pytest.fixture
def hasty(api_with: Callable[..., Api]) -> Api:
    return api_with(CHAT_BODY_TIMEOUT="0.5")


@pytest.mark.security("S26")
def test_a_head_that_never_ends_is_closed(hasty: Api) -> None:
    first = [b"", b"GE", HEAD, HEAD + b"X-Slow: ", b"\r\n"]
    further = [HEAD + b"\r\n" + begun for begun in (b"", b"GET", b"\r\n", HEAD)]
    with ExitStack() as stack:
        wires = [stack.enter_context(Wire(hasty.url)) for _ in (*first, *further)]
        for wire, begun in zip(wires, (*first, *further), strict=True):
            wire.send(begun)
        for wire in wires:
            assert wire.is_closed_within(20)


@pytest.mark.security("S26")
def test_a_head_that_comes_bit_by_bit_has_no_more_time(hasty: Api) -> None:
    def is_closed(wire: Wire) -> bool:
        with suppress(ConnectionError):
            wire.send(b"X-Slow: 1\r\n")
            return wire.is_closed_within(0.05)
        return True

    with Wire(hasty.url) as wire:
        wire.send(HEAD)
        wait_until(lambda: is_closed(wire), within=20)


@pytest.mark.security("S26")
def test_who_waits_for_an_answer_is_not_cut_off(hasty: Api) -> None:
    """The time for heads ends with the head."""
    owner = hasty.open()
    seq = owner.snapshot()["seq"]
    answer = owner.get(params={"after": seq, "wait": 1.5})
    assert answer.status_code == 200


@pytest.mark.security("S11", "S26")
def test_a_head_that_is_too_large_is_refused(api: Api) -> None:
    with Wire(api.url) as wire:
        wire.send(HEAD)
        wire.send(b"X-Many: ", b"x" * 70_000)
        assert wire.answer().startswith(b"HTTP/1.1 431 ")
        assert wire.is_closed_within(20)
    with Wire(api.url) as wire:
        wire.send(HEAD, b"X-Many: ", b"x" * 30_000, b"\r\n\r\n")
        assert wire.answer().startswith(b"HTTP/1.1 200 ")


@pytest.mark.security("S11", "S22")
def test_what_follows_a_body_is_no_header(api_with: Callable[..., Api]) -> None:
    """Sent with the head in one piece, it would be there in time to pass for the proxy's word."""
    api = api_with(CHAT_TRUSTED_PROXIES="1", CHAT_SESSIONS_BURST="1", CHAT_SESSIONS_PER_MINUTE="1")
    statuses = []
    for number in range(3):
        with Wire(api.url) as wire:
            head = (
                f"POST /sessions HTTP/1.1\r\nHost: {wire.host}\r\nX-Forwarded-For: 1.1.1.1\r\n"
                "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
            )
            trailer = f"X-Forwarded-For: 9.9.9.{number}\r\nAuthorization: Bearer x\r\n\r\n"
            wire.send(head.encode(), b"2\r\n{}\r\n0\r\n", trailer.encode())
            statuses.append(wire.answer()[9:12])
    assert statuses == [b"201", b"429", b"429"]
