"""Chats of the AI SDK, across crashes."""

import json
from collections.abc import Callable
from typing import Any

import requests

from tests.harness.stack import Stack
from tests.integration.ui_api.node_sdk import needs_node, start_node

LEASES = {"CHAT_LEASE_TTL": "1.5", "CHAT_LEASE_RENEWAL_INTERVAL": "0.4"}
# A reply of 6 s.
SLOW = "Hello [[tokens=120 rate=20]]"
VERSIONS = ("5", "6", "7")


def new_chat(url: str, version: str) -> dict[str, Any]:
    session = requests.post(f"{url}/sessions", json={}, timeout=10).json()
    headers = {"Authorization": f"Bearer {session['token']}"}
    return {"version": version, "id": session["id"], "headers": headers}


@needs_node
def test_reload_resumes_a_reply_whose_worker_was_killed(
    build_stack: Callable[..., Stack],
) -> None:
    stack = build_stack(env=LEASES).start()
    url = stack.web().url
    chats = [new_chat(url, version) for version in VERSIONS]
    arguments = map(json.dumps, [SLOW, *chats])
    with start_node("reload.js", *arguments, url=url, token="") as node:
        assert node.stdout is not None
        assert node.stdout.readline() == "started\n"
        stack.worker().kill()
        stack.web().kill()
        stack.worker().start()
        stack.web().start()
        output, _ = node.communicate("\n", timeout=60)
    for chat, shown in zip(chats, json.loads(output), strict=True):
        stored = requests.get(
            f"{url}/ui/chat/{chat['id']}/messages", headers=chat["headers"], timeout=10
        ).json()
        assert [message["id"] for message in shown] == ["msg_1", "msg_2"]
        assert shown[1]["metadata"] == stored[1]["metadata"]
        assert valid_text(shown[1]["parts"]) == stored[1]["parts"][0]["text"]
        # Version 7 removes the void text.
        kinds = [part["type"] for part in shown[1]["parts"]]
        is_marked = [] if chat["version"] == "7" else ["text", "data-parley"]
        assert kinds == ["step-start", *is_marked, "text"]


def valid_text(parts: list[dict[str, Any]]) -> str:
    """Return the text after the last restart."""
    text = ""
    for part in parts:
        if part["type"] == "data-parley":
            assert part["data"] == {"restarted": True}
            text = ""
        text += part.get("text", "")
    return text
