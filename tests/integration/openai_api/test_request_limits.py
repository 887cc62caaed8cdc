"""Requests of the OpenAI API that would cost too much are rejected before anything is stored."""

from typing import Any

import pytest
import requests
from openai import BadRequestError, OpenAI

from chat.domain.files import to_data_url

pytestmark = pytest.mark.security("S50")

PNG = to_data_url("image/png", b"\x89PNG\r\n\x1a\n" + bytes(100))
TEXT = {"type": "text", "text": "a"}
IMAGE = {"type": "image_url", "image_url": {"url": PNG}}
MESSAGE = {
    "role": "user",
    "content": [
        {"type": "input_image", "image_url": PNG},
        *[{"type": "input_text", "text": "a"}] * 9,
    ],
}
HELLO = {"role": "user", "content": "Hello"}
SCHEMA = {"type": "object", "description": "x" * 70_000}
BODIES: dict[str, tuple[str, dict[str, Any]]] = {
    "messages": ("chat/completions", {"messages": [{"role": "user", "content": "a"}] * 20_000}),
    "items": ("responses", {"input": [HELLO] * 20_000}),
    "conversation": ("conversations", {"items": [HELLO] * 20_000}),
    "parts": (
        "chat/completions",
        {"messages": [{"role": "user", "content": [IMAGE, *[TEXT] * 20]}]},
    ),
    "parts together": (
        "chat/completions",
        {"messages": [{"role": "user", "content": [IMAGE, *[TEXT] * 9]}] * 21},
    ),
    "parts of items": ("responses", {"input": [MESSAGE] * 21}),
    "stop": ("chat/completions", {"messages": [HELLO], "stop": ["x" * 101]}),
    "schema": (
        "responses",
        {
            "input": "Hello",
            "text": {"format": {"type": "json_schema", "name": "a", "schema": SCHEMA}},
        },
    ),
    "system messages": (
        "conversations",
        {"items": [{"role": "system", "content": "x" * 100_000}] * 3},
    ),
}


@pytest.mark.parametrize("name", BODIES)
def test_request_that_costs_too_much_is_rejected(client: OpenAI, name: str) -> None:
    path, body = BODIES[name]
    response = requests.post(
        f"{client.base_url}{path}",
        json={"model": "default", **body} if path != "conversations" else body,
        headers={"Authorization": f"Bearer {client.api_key}"},
        timeout=30,
    )
    assert response.status_code == 400, response.text
    assert "at most" in response.json()["error"]["message"]


def test_input_of_a_conversation_has_few_items(client: OpenAI) -> None:
    given: Any = [HELLO] * 201
    first = client.responses.create(input=given)
    with pytest.raises(BadRequestError, match="at most 200 items"):
        client.responses.create(input=given, previous_response_id=first.id)
    client.responses.create(input=given[1:], previous_response_id=first.id)
