"""What a vendor wants of a file for fine-tuning a chat model, by its own published rules.

OpenAI's fine-tuning guide and the checks of its cookbook ("Data preparation and analysis for chat
model fine-tuning"), written anew: what is counted there as a format error raises here.
"""

import json
from pathlib import Path
from typing import Any

MOST_BYTES = 512 * 1024 * 1024
ROLES = {"system", "user", "assistant", "function"}
MEMBERS = {"role", "content", "name", "function_call", "weight"}


def check_file(path: Path) -> list[dict[str, Any]]:
    """Return the examples of a file that is sound."""
    assert path.stat().st_size <= MOST_BYTES
    text = path.read_bytes().decode("utf-8")
    assert "\r" not in text
    assert not text or text.endswith("\n")
    examples = [json.loads(line) for line in text.split("\n")[:-1]]
    for example in examples:
        check(example)
    return examples


def check(example: object) -> None:
    """Raise unless it is an example from which a chat model can be tuned."""
    assert isinstance(example, dict), "data_type"
    assert set(example) == {"messages"}, "unrecognized_key"
    messages = example["messages"]
    assert isinstance(messages, list), "missing_messages_list"
    assert messages, "missing_messages_list"
    for message in messages:
        check_message(message)
    roles = [message["role"] for message in messages]
    assert "assistant" in roles, "example_missing_assistant_message"
    assert roles[-1] == "assistant", "last_message"
    assert "system" not in roles[1:], "system_message_not_first"
    learned = [m for m in messages if m["role"] == "assistant" and m.get("weight", 1) == 1]
    assert learned, "nothing_to_learn"


def check_message(message: object) -> None:
    assert isinstance(message, dict), "message_data_type"
    assert {"role", "content"} <= message.keys(), "message_missing_key"
    assert message.keys() <= MEMBERS, "message_unrecognized_key"
    assert message["role"] in ROLES, "unrecognized_role"
    assert isinstance(message["content"], str), "missing_content"
    assert message["content"].strip(), "missing_content"
    if "weight" in message:
        assert message["role"] == "assistant", "weight_of_other_role"
        assert message["weight"] in {0, 1}, "weight"
