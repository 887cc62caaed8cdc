import pytest

from chat.domain import Options
from chat.domain.errors import ConfigError
from chat.providers.openai_common import check_parameters, request_body
from tests.unit.providers.models import model


@pytest.mark.security("S24")
def test_max_tokens_are_always_sent_and_limited() -> None:
    bounded = model(max_tokens=100)
    assert request_body(bounded, Options())["max_tokens"] == 100
    assert request_body(bounded, Options(max_tokens=7))["max_tokens"] == 7
    assert request_body(bounded, Options(max_tokens=1000))["max_tokens"] == 100


def test_new_name_of_max_tokens_is_used_on_request() -> None:
    body = request_body(model(parameters={"max_completion_tokens": 1}, max_tokens=50), Options())
    assert body["max_completion_tokens"] == 50
    assert "max_tokens" not in body


def test_streams_request_usage_by_default() -> None:
    assert request_body(model(), Options())["stream_options"] == {"include_usage": True}
    assert "stream_options" not in request_body(model(stream=False), Options())
    assert "stream_options" not in request_body(
        model(parameters={"stream_options": False}), Options()
    )


def test_options_override_parameters() -> None:
    body = request_body(
        model(parameters={"temperature": 0.5, "top_k": 3}), Options(temperature=0.0)
    )
    assert body["temperature"] == 0.0
    assert body["top_k"] == 3
    assert not {"top_p", "seed", "stop"} & body.keys()


def test_all_stops_are_sent() -> None:
    body = request_body(model(stop=("b",)), Options(stop=("c",)), "a")
    assert body["stop"] == ("a", "b", "c")


@pytest.mark.parametrize("field", ["messages", "stream", "max_tokens", "n", "tools"])
def test_reserved_parameters_are_rejected(field: str) -> None:
    with pytest.raises(ConfigError, match=f"model m: parameters must not contain '{field}'"):
        check_parameters(model(parameters={field: 1}))
