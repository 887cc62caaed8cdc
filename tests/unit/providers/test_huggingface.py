from typing import Any

import pytest

from chat.domain import Options
from chat.domain.errors import ConfigError
from chat.providers.huggingface import HuggingFace
from tests.unit.providers.models import model


def parameters(options: Options | None = None, **fields: Any) -> dict[str, object]:
    return HuggingFace(model(**fields))._parameters(options or Options())


def test_plain_request_equals_the_tutorials() -> None:
    assert parameters(stream=False, max_tokens=25) == {
        "return_full_text": False,
        "use_cache": False,
        "max_new_tokens": 25,
    }


def test_stream_requests_a_finish_reason() -> None:
    assert parameters()["details"] is True


@pytest.mark.security("S24")
def test_max_tokens_never_exceed_the_models() -> None:
    assert parameters(Options(max_tokens=9999), max_tokens=25)["max_new_tokens"] == 25
    assert parameters(Options(max_tokens=3), max_tokens=25)["max_new_tokens"] == 3


def test_values_that_tgi_rejects_are_translated() -> None:
    sent = parameters(Options(temperature=0.0, top_p=1.0, seed=0))
    assert sent["do_sample"] is False
    assert sent["seed"] == 0
    assert not {"temperature", "top_p"} & sent.keys()


def test_parameters_are_sent() -> None:
    sent = parameters(parameters={"use_cache": True, "top_k": 5}, stop=("x",))
    assert sent["use_cache"] is True
    assert sent["top_k"] == 5
    assert sent["stop"] == ("x",)


def test_reserved_parameters_are_rejected() -> None:
    with pytest.raises(ConfigError, match="model m: parameters must not contain 'inputs'"):
        parameters(parameters={"inputs": "x"})
