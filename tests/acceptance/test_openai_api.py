"""Responses of the OpenAI-compatible API, across SDKs and crashes."""

import json
from collections.abc import Callable
from typing import Any

import requests
from openai import OpenAI

from tests.harness.stack import Stack
from tests.harness.wait import wait_until
from tests.integration.openai_api.node_sdk import needs_node, run_node

LEASES = {"CHAT_LEASE_TTL": "1.5", "CHAT_LEASE_RENEWAL_INTERVAL": "0.4"}
# A reply of 6 s.
SLOW = "Hello [[tokens=120 rate=20]]"


@needs_node
def test_background_response_survives_crashes_and_changes_of_client(
    build_stack: Callable[..., Stack],
) -> None:
    """Python starts it, Node follows it, a plain client polls it; worker and web are killed."""
    stack = build_stack(env=LEASES).start()
    base_url = f"{stack.web().url}/v1"
    token = requests.post(f"{stack.web().url}/sessions", json={}, timeout=10).json()["token"]
    client = OpenAI(base_url=base_url, api_key=token, timeout=60)
    created = client.responses.create(input=SLOW, background=True)
    seen: list[dict[str, Any]] = []
    for event in client.responses.retrieve(created.id, stream=True):
        seen.append(event.to_dict())
        if event.type == "response.output_text.delta" and len(seen) > 15:
            break

    stack.worker().kill()
    stack.web().kill()
    stack.worker().start()
    stack.web().start()

    cursor = str(seen[-1]["sequence_number"])
    followed = run_node("follow.js", created.id, cursor, base_url=base_url, api_key=token)
    rest = [json.loads(line) for line in followed.stdout.splitlines()]

    def polled() -> Any:
        headers = {"Authorization": f"Bearer {token}"}
        url = f"{base_url}/responses/{created.id}"
        response = requests.get(url, headers=headers, timeout=10).json()
        return response if response["status"] == "completed" else None

    response = wait_until(polled, within=30)
    events = [*seen, *rest]
    check_events(events, response)
    whole = [each.to_dict() for each in client.responses.retrieve(created.id, stream=True)]
    assert [each["sequence_number"] for each in whole] == [
        each["sequence_number"] for each in events
    ]
    client.close()


def check_events(events: list[dict[str, Any]], response: dict[str, Any]) -> None:
    """Check that each event came once, and that the text after the crash is the response's."""
    numbers = [event["sequence_number"] for event in events]
    assert numbers == sorted(set(numbers))
    kinds = [event["type"] for event in events]
    assert kinds.count("response.completed") == 1
    # The text of the killed worker is void.
    assert kinds.count("response.output_item.added") == 2
    deltas = [event for event in events if event["type"] == "response.output_text.delta"]
    text = "".join(event["delta"] for event in deltas if event["output_index"] == 1)
    assert events[-1]["response"] == response
    assert response["output"][0]["content"][0]["text"] == text
