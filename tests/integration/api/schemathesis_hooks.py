"""Hooks of schemathesis, which send most requests with a valid token."""

import os
from typing import Any

import requests
import schemathesis

# Operations that invalidate the token.
INVALIDATES_TOKEN = {("DELETE", "/sessions/{session_id}"), ("POST", "/sessions/{session_id}/token")}
URL = os.environ["FUZZED_URL"]
sessions: list[dict[str, str]] = []


def session(*, is_new: bool) -> dict[str, str]:
    """Return the id and token of a session."""
    if is_new or not sessions:
        sessions.append(requests.post(f"{URL}/sessions", json={}, timeout=30).json())
    return sessions.pop() if is_new else sessions[-1]


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:  # noqa: ARG001
    """Replace the generated session id by a valid one, in most cases."""
    name = "session_id"
    if case.operation.path in {"/sessions", "/models", "/live", "/ready", "/metrics", "/schema"}:
        return
    valid = session(is_new=(case.method, case.operation.path) in INVALIDATES_TOKEN)
    if name in case.path_parameters and len(str(case.path_parameters[name])) % 4:
        case.path_parameters[name] = valid["id"]
    case.headers = {**(case.headers or {}), "Authorization": f"Bearer {valid['token']}"}
