"""The assertions of `finetuning_format` fail for invalid files."""

from pathlib import Path

import pytest

from tests.integration.transcripts import finetuning_format

USER, REPLY = {"role": "user", "content": "x"}, {"role": "assistant", "content": "x"}


def test_valid_example_passes() -> None:
    context = {**REPLY, "weight": 0}
    system = {"role": "system", "content": "x"}
    finetuning_format.validate({"messages": [system, USER, context, USER, REPLY]})


@pytest.mark.parametrize(
    ("example", "rule"),
    [
        ([], "data_type"),
        ({"messages": [USER, REPLY], "session": "x"}, "unrecognized_key"),
        ({"messages": []}, "missing_messages_list"),
        ({"messages": "x"}, "missing_messages_list"),
        ({"messages": ["x"]}, "message_data_type"),
        ({"messages": [{"role": "user"}, REPLY]}, "message_missing_key"),
        ({"messages": [{**USER, "id": "msg_1"}, REPLY]}, "message_unrecognized_key"),
        ({"messages": [{**USER, "role": "human"}, REPLY]}, "unrecognized_role"),
        ({"messages": [{**USER, "content": " "}, REPLY]}, "missing_content"),
        ({"messages": [{**USER, "content": None}, REPLY]}, "missing_content"),
        ({"messages": [{**USER, "weight": 1}, REPLY]}, "weight_of_other_role"),
        ({"messages": [USER, {**REPLY, "weight": 2}]}, "weight"),
        ({"messages": [USER]}, "example_missing_assistant_message"),
        ({"messages": [USER, REPLY, USER]}, "last_message"),
        ({"messages": [USER, {"role": "system", "content": "x"}, REPLY]}, "system_message_not"),
        ({"messages": [USER, {**REPLY, "weight": 0}]}, "no_trained_reply"),
    ],
)
def test_invalid_example_is_rejected(example: object, rule: str) -> None:
    with pytest.raises(AssertionError, match=rule):
        finetuning_format.validate(example)


def test_file_without_a_final_newline_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "x").write_text('{"messages": []}')
    with pytest.raises(AssertionError):
        finetuning_format.validate_file(tmp_path / "x")
