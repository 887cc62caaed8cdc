"""Mutated requests: each is answered, or rejected by an error of the SDK's class."""

import random
from collections.abc import Callable
from typing import Any

import openai
import pytest
from openai import OpenAI

from tests.harness.mutations import mutate

# Minutes: most of these requests are valid, and are answered.
LONG = [pytest.mark.thorough, pytest.mark.timeout(1200)]
BODIES: dict[str, dict[str, Any]] = {
    "/chat/completions": {
        "model": "default",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Hello"}]},
        ],
        "max_tokens": 1,
        "stop": ["a"],
        "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}},
        "stream_options": {"include_usage": True},
        "metadata": {},
        "user": "ann",
    },
    "/responses": {
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "Hello"}]},
            {"type": "message", "role": "assistant", "content": "Hello"},
            {"role": "user", "content": "Hello"},
        ],
        "instructions": "Be brief.",
        "background": True,
        "conversation": None,
        "previous_response_id": None,
        "text": {"format": {"type": "json_schema", "name": "x", "schema": {}}},
        "reasoning": {"effort": "low"},
        "metadata": {"a": "b"},
        "max_output_tokens": 1,
        "truncation": "auto",
    },
    "/conversations": {
        "metadata": {"a": "b"},
        "items": [{"type": "message", "role": "user", "content": "Hello"}],
    },
    "/conversations/{id}/items": {
        "items": [
            {"type": "message", "role": "user", "content": "Hello"},
            {"role": "assistant", "content": [{"type": "output_text", "text": "Hello"}]},
        ],
    },
}


@pytest.mark.parametrize("times", [50, pytest.param(10_000, marks=LONG)], ids=["few", "many"])
@pytest.mark.parametrize("path", BODIES)
def test_mutated_requests_cause_no_server_error(
    client: OpenAI, new_key: Callable[..., str], path: str, times: int
) -> None:
    rng = random.Random(times)
    own = client.with_options(api_key=new_key(), max_retries=0)
    conversation = own.conversations.create().id
    for _ in range(times):
        body = mutate(BODIES[path], rng)
        target = path.format(id=conversation)
        error = rejection(own, target, body if isinstance(body, dict) else {"x": body})
        if error is not None and error.status_code == 429:  # too many for one key or session
            own.api_key = new_key()
            conversation = own.conversations.create().id
        elif error is not None:
            assert error.status_code < 500, body
            assert error.type == "invalid_request_error", body
            assert error.code


def rejection(client: OpenAI, path: str, body: dict[str, Any]) -> openai.APIStatusError | None:
    """Send a request; return the error of the SDK if it was rejected."""
    try:
        client.post(path, cast_to=object, body=body)
    except openai.APIStatusError as error:
        return error
    return None
