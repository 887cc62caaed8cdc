"""Mutated requests of the AI SDK: each is answered, or rejected by an error with a code."""

import random
from collections.abc import Callable

import pytest
import requests

from tests.harness.mutations import mutate
from tests.harness.stack import Stack

# Minutes: most of these requests are valid, and are answered.
LONG = [pytest.mark.thorough, pytest.mark.timeout(1200)]


@pytest.mark.parametrize("times", [100, pytest.param(10_000, marks=LONG)], ids=["few", "many"])
def test_mutated_requests_cause_no_server_error(
    stack: Stack, new_key: Callable[..., str], times: int
) -> None:
    rng = random.Random(times)
    token = new_key()
    with requests.Session() as http:
        for i in range(times):
            body = {
                "id": f"chat {i}",
                "messages": [
                    {"id": "a", "role": "user", "parts": [{"type": "text", "text": "Hi"}]}
                ],
                "trigger": "submit-message",
                "messageId": None,
                "options": {"max_tokens": 1, "stop": ["a"]},
            }
            changed = mutate(body, rng)
            response = http.post(
                f"{stack.web().url}/ui/chat",
                json=changed,
                headers={"Authorization": f"Bearer {token}"},
                timeout=60,
            )
            if response.status_code == 429:  # too many sessions for one key
                token = new_key()
            elif not response.ok:
                assert response.status_code < 500, changed
                error = response.json()["error"]
                assert error["type"] == "invalid_request_error", changed
                assert error["code"]
