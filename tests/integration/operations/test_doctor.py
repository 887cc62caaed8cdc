"""What `doctor --call-models` shows of a model whose responses deviate."""

import socket
from contextlib import suppress
from typing import Any

import pytest
from pytest_django import Settings

from chat.domain import Timeouts
from chat.operations import doctor
from chat.operations.checks import CheckResult, Level
from tests.integration.providers.calls import long_timeouts
from tests.integration.providers.raw_server import (
    D,
    E,
    H,
    Handler,
    RawServer,
    X,
    read_request,
    respond,
)
from tests.unit.providers.models import model


def check_model(settings: Settings, *parts: bytes) -> list[CheckResult]:
    return check_server(settings, respond(*parts, closes=True))


def check_server(settings: Settings, handle: Handler, **fields: Any) -> list[CheckResult]:
    with RawServer(handle) as server:
        settings.CHAT_MODELS = {"default": model(name="default", url=server.url, **fields)}
        found = doctor.run_checks(call_models=True)
        return [each for each in found if each.message.startswith("model default")]


@pytest.mark.case("C27")
def test_deviations_of_the_call_are_shown(settings: Settings) -> None:
    head = H.replace(b"text/event-stream", b"text/plain")
    for _ in range(2):  # the log would show them only once
        answer, *deviations = check_model(settings, head + D + E.replace(b"stop", b"odd"))
        assert answer == CheckResult(Level.OK, "model default: answers")
        assert [each.level for each in deviations] == [Level.WARNING] * 3
        assert {each.hint for each in deviations} == {doctor.AFTER_REPLY}
        assert [each.message.removeprefix("model default: ") for each in deviations] == [
            "content-type: expected text/event-stream, got 'text/plain'; used the body's format",
            "end of the stream: expected [DONE], got the end of the body; read everything received",
            "finish_reason: expected one of the documented values, got 'odd'; completed the reply",
        ]


@pytest.mark.case("C27")
def test_reason_of_a_rejected_response_is_shown(settings: Settings) -> None:
    error, *deviations = check_model(settings, H + D + b'data: {"choices":[{"delta":5}]}\n\n')
    assert error.level is Level.ERROR
    assert [each.message for each in deviations] == [
        "model default: response: expected a reply, got a number as the message; rejected it"
    ]
    assert [each.hint for each in deviations] == [doctor.AFTER_FAILURE]


@pytest.mark.case("C10")
@pytest.mark.parametrize(
    ("timeouts", "start", "name"),
    [
        (long_timeouts(first_event=0.2), b"", "first_event"),
        (long_timeouts(between_events=0.2), H + D, "between_events"),
        (Timeouts(first_event=0.2, between_events=0.2, without_text=0.2), H, "without_text"),
        (long_timeouts(total=0.2), b"", "total"),
    ],
)
def test_call_has_the_timeouts_of_a_turn(
    settings: Settings, timeouts: Timeouts, start: bytes, name: str
) -> None:
    def talk(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(start)
        ping = b": ping\n\n" if name == "without_text" else b""
        connection.settimeout(0.02)
        with suppress(OSError):
            while is_open(connection):
                connection.sendall(ping)

    error, *_ = check_server(settings, talk, timeouts=timeouts)
    assert error.level is Level.ERROR
    assert error.message == (
        f"model default: The model took too long: its timeout {name} has passed."
    )


def is_open(connection: socket.socket) -> bool:
    """Wait for the socket's timeout; return whether the client has not disconnected."""
    try:
        return connection.recv(1) != b""
    except TimeoutError:
        return True


def test_model_without_deviations_has_one_result(settings: Settings) -> None:
    assert len(check_model(settings, H + D + E + X)) == 1
