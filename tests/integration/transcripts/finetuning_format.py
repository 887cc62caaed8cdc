"""OpenAI's rules for chat fine-tuning files, as assertions.

Sources: the fine-tuning guide, and the checks in the cookbook "Data preparation and analysis for
chat model fine-tuning". What the cookbook counts as a format error fails an assertion here.
"""

import json
from pathlib import Path
from typing import Any

MAX_BYTES = 512 * 1024 * 1024
ROLES = {"system", "user", "assistant", "function"}
FIELDS = {"role", "content", "name", "function_call", "weight"}


def validate_file(path: Path) -> list[dict[str, Any]]:
    """Return the examples of a valid file."""
    assert path.stat().st_size <= MAX_BYTES
    text = path.read_bytes().decode("utf-8")
    assert "\r" not in text
    assert not text or text.endswith("\n")
    examples = [json.loads(line) for line in text.split("\n")[:-1]]
    for example in examples:
        validate(example)
    return examples


def validate(example: object) -> None:
    """Check that a chat model can be fine-tuned with this example."""
    assert isinstance(example, dict), "data_type"
    assert set(example) == {"messages"}, "unrecognized_key"
    messages = example["messages"]
    assert isinstance(messages, list), "missing_messages_list"
    assert messages, "missing_messages_list"
    for message in messages:
        validate_message(message)
    roles = [message["role"] for message in messages]
    assert "assistant" in roles, "example_missing_assistant_message"
    assert roles[-1] == "assistant", "last_message"
    assert "system" not in roles[1:], "system_message_not_first"
    trained = [m for m in messages if m["role"] == "assistant" and m.get("weight", 1) == 1]
    assert trained, "no_trained_reply"


def validate_message(message: object) -> None:
    assert isinstance(message, dict), "message_data_type"
    assert {"role", "content"} <= message.keys(), "message_missing_key"
    assert message.keys() <= FIELDS, "message_unrecognized_key"
    assert message["role"] in ROLES, "unrecognized_role"
    assert isinstance(message["content"], str), "missing_content"
    assert message["content"].strip(), "missing_content"
    if "weight" in message:
        assert message["role"] == "assistant", "weight_of_other_role"
        assert message["weight"] in {0, 1}, "weight"
