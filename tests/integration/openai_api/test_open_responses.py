"""The cases of the Open Responses compliance suite, under their names. Tools are not supported."""

import json
from typing import Any

import pytest
import requests

from chat.domain.files import to_data_url
from project.runner.process import ROOT

# Fields that the suite's schema requires; those of the second list must not be null.
NULLABLE = (
    *("completed_at", "incomplete_details", "previous_response_id", "instructions", "error"),
    *("reasoning", "usage", "max_output_tokens", "max_tool_calls", "safety_identifier"),
    "prompt_cache_key",
)
NOT_NULL = (
    *("id", "object", "created_at", "status", "model", "output", "tools", "tool_choice"),
    *("truncation", "parallel_tool_calls", "text", "top_p", "presence_penalty"),
    *("frequency_penalty", "top_logprobs", "temperature", "store", "background", "service_tier"),
    "metadata",
)


PICTURE = to_data_url("image/png", (ROOT / "docs/images/chat-phone.png").read_bytes())


def message(role: str, content: object) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": content}


CASES = {
    "basic-response": [message("user", "Say hello in exactly 3 words.")],
    "streaming-response": [message("user", "Count from 1 to 5.")],
    "system-prompt": [
        message("system", "You are a pirate. Always respond in pirate speak."),
        message("user", "Say hello."),
    ],
    "image-input": [
        message(
            "user",
            [
                {"type": "input_text", "text": "What do you see in this image?"},
                {"type": "input_image", "image_url": PICTURE},
            ],
        )
    ],
    "multi-turn": [
        message("user", "My name is Alice."),
        message("assistant", "Hello Alice! Nice to meet you. How can I help you today?"),
        message("user", "What is my name?"),
    ],
}


@pytest.mark.parametrize("name", CASES)
def test_open_responses_case_passes(base_url: str, api_key: str, name: str) -> None:
    is_stream = name == "streaming-response"
    response = requests.post(
        f"{base_url}/responses",
        json={"model": "default", "input": CASES[name], "stream": is_stream},
        headers={"Authorization": f"Bearer {api_key}"},
        timeout=30,
    )
    assert response.status_code == 200
    body = last_event(response.text)["response"] if is_stream else response.json()
    assert [field for field in NULLABLE if field not in body] == []
    assert [field for field in NOT_NULL if body.get(field) is None] == []
    assert len(NULLABLE) + len(NOT_NULL) == 31
    assert body["status"] == "completed"
    text = body["output"][0]["content"][0]["text"]
    assert "Alice" in text if name == "multi-turn" else text


def last_event(stream: str) -> dict[str, Any]:
    """Return the last event, and check that each has its name and data."""
    blocks = [block.split("\n") for block in stream.split("\n\n") if block.startswith("event: ")]
    events = [json.loads(data.removeprefix("data: ")) for _, data in blocks]
    assert [line.removeprefix("event: ") for line, _ in blocks] == [each["type"] for each in events]
    last: dict[str, Any] = events[-1]
    return last
