"""Each example in /docs, sent in turn, gets the documented response."""

import re
from itertools import dropwhile, takewhile
from typing import Any

import pytest
import requests
from pytest_django import Settings

from chat.accounts import api_keys
from chat.domain import Scope
from chat.store.client import client as store_client
from tests.harness.stack import Stack
from tests.harness.wait import wait_until

TIMEOUT = 60  # seconds
# Members that differ each time; their types are compared.
VOLATILE = re.compile(
    r"(created|started|completed|expires|last_active)_at|seq|token|ticket|request_id|session_start"
)
USER = "ada@example.org"


class Examples:
    """A client that sends the examples of the schema."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self.url = url
        self.headers = headers
        self.ids = {"user": USER, "message_id": "msg_2"}
        schema = requests.get(f"{url}/schema", timeout=TIMEOUT).json()
        self.left = {
            operation["operationId"]: (method, path, operation)
            for path, operations in schema["paths"].items()
            for method, operation in operations.items()
            if not path.startswith(("/v1/", "/ui"))
        }
        self.error = schema["components"]["schemas"]["Error"]["example"]

    def use(self, opened: requests.Response) -> None:
        """Use a new session for the following examples."""
        self.ids["session_id"] = opened.json()["id"]

    def get(self, path: str) -> requests.Response:
        return requests.get(self.url + path, headers=self.headers, timeout=TIMEOUT)

    def send(
        self, name: str, params: dict[str, str] | None = None, **ids: str
    ) -> requests.Response:
        """Send the example of an operation; compare the response, and return it."""
        method, path, operation = self.left.pop(name)
        assert operation["description"]
        content = operation.get("requestBody", {}).get("content", {})
        body = next((each.get("example") for each in content.values()), None)
        assert bool(content) == (body is not None), f"{name} has no example"
        is_file = "application/octet-stream" in content
        response = requests.request(
            method,
            self.url + path.format(**self.ids | ids),
            json=None if is_file else body,
            data=body if is_file else None,
            params=params,
            headers=self.headers,
            timeout=TIMEOUT,
            stream=name == "getEvents",
        )
        documented = operation["responses"][str(response.status_code)]
        contents = documented.get("content", {}).values()
        is_binary = any(each["schema"].get("format") == "binary" for each in contents)
        examples = [] if is_binary else [each["example"] for each in contents]
        if name != "getEvents" and examples:
            assert mask(examples[0]) == mask(response.json()), name
        return response


def kind(value: Any) -> str:
    """Return the type of a value in JSON."""
    return "number" if isinstance(value, int | float) else type(value).__name__


def mask(value: Any) -> Any:
    """Replace values that differ each time by the name of their type."""
    if isinstance(value, list):
        return [mask(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name: kind(each) if is_volatile(name, each) else mask(each) for name, each in value.items()
    }


def is_volatile(name: str, value: Any) -> bool:
    """Return whether a member is a time, a secret or the id of a session."""
    return bool(VOLATILE.fullmatch(name) or (name == "id" and str(value).startswith("ses_")))


@pytest.fixture
def examples(stack: Stack, settings: Settings) -> Examples:
    settings.REDIS_URL = stack.redis.url
    store_client.cache_clear()  # tests before may have used another Redis
    key, _ = api_keys.create(name="docs", tenant="examples", scopes=list(Scope))
    headers = {"Authorization": f"Bearer {key}", "Parley-User": USER}
    return Examples(stack.web().url, headers)


def test_every_example_gets_the_documented_response(examples: Examples) -> None:
    for name in ("getModels", "getLive", "getReady"):
        examples.send(name)
    examples.use(examples.send("postSessions"))
    examples.send("postMessages")
    wait_until(lambda: replies(examples, "completed"))
    for name in ("getSession", "getMessages", "getMessage", "postFeedback", "deleteFeedback"):
        examples.send(name)
    assert read_event(examples.send("getEvents")) == ["id", "event", "data"]
    examples.ids["file_id"] = examples.send("postFiles").json()["id"]
    assert examples.send("getFile").ok
    for name in ("getSessions", "patchSession", "postTicket", "postRegenerate"):
        examples.send(name)
    wait_until(lambda: replies(examples, "completed") == 2)
    for name in ("postReset", "postToken", "deleteUser"):
        examples.send(name)
    token = examples.send("postTutorialToken", params={"name": "Ada"}).json()["token"]
    examples.send("getTutorialRefresh", params={"token": token})
    cancel_a_queued_reply(examples)
    examples.send("deleteSession")
    assert not examples.left
    assert mask(examples.get("/sessions/ses_none").json()) == mask(examples.error)


def cancel_a_queued_reply(examples: Examples) -> None:
    """Post a message while a reply is written, and cancel the reply to it."""
    session = requests.post(f"{examples.url}/sessions", timeout=TIMEOUT)
    examples.use(session)
    examples.headers = {"Authorization": f"Bearer {session.json()['token']}"}
    slow = {"content": "[[tokens=200 rate=2]]"}
    requests.post(f"{examples.url}/messages", json=slow, headers=examples.headers, timeout=TIMEOUT)
    wait_until(lambda: replies(examples, "in_progress"))
    examples.send("postPostMessage")
    examples.send("postCancel", message_id="msg_4")


def replies(examples: Examples, status: str) -> int:
    """Return the number of replies with this status."""
    messages = examples.get(f"/sessions/{examples.ids['session_id']}").json()["messages"]
    return sum(each["role"] == "assistant" and each["status"] == status for each in messages)


def read_event(response: requests.Response) -> list[str]:
    """Return the names of the lines of the first event."""
    lines = map(bytes.decode, response.iter_lines())
    event = takewhile(bool, dropwhile(lambda line: not line.startswith("id:"), lines))
    return [line.partition(":")[0] for line in event]
