from typing import Any

import pytest
from rest_framework.serializers import ValidationError

from chat.api.serializers import NewMessageBody, NewSessionBody, OptionsBody, SessionUpdateBody
from chat.api.strict_serializer import validate
from chat.domain import Context, OnBusy, Options


def test_message_is_validated_to_domain_types() -> None:
    body = {"content": "hi", "on_busy": "reject", "options": {"temperature": 1, "stop": ["x"]}}
    assert validate(NewMessageBody, body) == {
        "content": "hi",
        "on_busy": OnBusy.REJECT,
        "options": Options(temperature=1.0, stop=("x",)),
    }


def test_missing_fields_get_defaults() -> None:
    assert validate(NewMessageBody, {"content": "hi"}) == {
        "content": "hi",
        "on_busy": OnBusy.ENQUEUE,
    }
    assert validate(NewSessionBody, {}) == {}
    assert validate(NewSessionBody, {"context": {}}) == {"context": Context()}
    assert validate(SessionUpdateBody, {"context": {"tokens": 5}}) == {
        "context": {"messages": 20, "tokens": 5}
    }


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": -0.1},
        {"temperature": True},
        {"top_p": 0},
        {"top_p": 1.1},
        {"seed": -1},
        {"seed": "1"},
        {"stop": [""]},
        {"nope": 1},
    ],
)
def test_options_out_of_range_are_rejected(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        validate(OptionsBody, options)


def test_integers_may_be_written_as_floats() -> None:
    body = {"content": "hi", "options": {"seed": 5.0, "max_tokens": 1e3}}
    assert validate(NewMessageBody, body)["options"] == Options(seed=5, max_tokens=1000)


def test_validations_are_independent() -> None:
    with pytest.raises(ValidationError):
        validate(NewMessageBody, {"content": ""})
    assert validate(NewMessageBody, {"content": "a"})["content"] == "a"
    assert validate(NewMessageBody, {"content": "b"})["content"] == "b"
