"""What `doctor --call-models` shows of a model whose responses deviate."""

import pytest
from pytest_django import Settings

from chat.operations import doctor
from chat.operations.checks import CheckResult, Level
from tests.integration.providers.raw_server import D, E, H, RawServer, X, respond
from tests.unit.providers.models import model


def check_model(settings: Settings, *parts: bytes) -> list[CheckResult]:
    with RawServer(respond(*parts, closes=True)) as server:
        settings.CHAT_MODELS = {"default": model(name="default", url=server.url)}
        found = doctor.run_checks(call_models=True)
        return [each for each in found if each.message.startswith("model default")]


@pytest.mark.case("C27")
def test_deviations_of_the_call_are_shown(settings: Settings) -> None:
    head = H.replace(b"text/event-stream", b"text/plain")
    for _ in range(2):  # the log would show them only once
        answer, *deviations = check_model(settings, head + D + E.replace(b"stop", b"odd"))
        assert answer == CheckResult(Level.OK, "model default: answers")
        assert [each.level for each in deviations] == [Level.WARNING] * 3
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


def test_model_without_deviations_has_one_result(settings: Settings) -> None:
    assert len(check_model(settings, H + D + E + X)) == 1
