"""Each example in /docs, sent in turn, gets the documented response."""

import pytest
from pytest_django import Settings

from chat.accounts import api_keys
from chat.domain import Scope
from chat.store.client import client as store_client
from tests.harness.stack import Stack
from tests.harness.wait import wait_until
from tests.integration.examples.event_streams import mask
from tests.integration.examples.schema_examples import Examples

USER = "ada@example.org"
# A message whose reply has no text, and ends when it is cancelled.
ENDLESS = "Tell me a story. [[latency=300]]"


@pytest.fixture
def examples(stack: Stack, settings: Settings) -> Examples:
    settings.REDIS_URL = stack.redis.url
    store_client.cache_clear()  # tests before may have used another Redis
    key, _ = api_keys.create(name="docs", tenant="examples", scopes=list(Scope))
    headers = {"Authorization": f"Bearer {key}", "Parley-User": USER}
    return Examples(stack.web().url, headers, {"user": USER, "message_id": "msg_2"})


def test_every_example_gets_the_documented_response(examples: Examples) -> None:
    send_examples_of_sessions(examples)
    send_examples_of_chats(examples)
    send_examples_of_completions(examples)
    send_examples_of_conversations(examples)
    send_examples_of_tokens(examples)
    assert not examples.left
    assert mask(examples.get("/sessions/ses_none")) == mask(examples.error)


def send_examples_of_sessions(examples: Examples) -> None:
    for name in ("getModels", "getLive", "getReady"):
        examples.send(name)
    examples.ids["session_id"] = examples.send("postSessions")["id"]
    examples.send("postMessages")
    examples.send("getEvents")
    for name in ("getSession", "getMessages", "getMessage", "postFeedback", "deleteFeedback"):
        examples.send(name)
    examples.ids["file_id"] = examples.send("postFiles")["id"]
    for name in ("getFile", "getSessions", "patchSession", "postTicket", "postRegenerate"):
        examples.send(name)
    wait_until(lambda: replies(examples, "completed") == 2)
    for name in ("postReset", "postToken", "deleteUser"):
        examples.send(name)


def send_examples_of_chats(examples: Examples) -> None:
    examples.ids["chat_id"] = "my-chat"
    for name in ("postUIChat", "getUIChatMessages", "getUIChatStream"):
        examples.send(name)
    session = examples.post("/sessions")["id"]
    examples.post(f"/sessions/{session}/messages", content=ENDLESS)
    examples.post(f"/sessions/{session}/messages", content="What is my name?")
    # The stream starts before its reply, which waits for the one before.
    stream = examples.request("getUIChatStream", chat_id=session)
    examples.post(f"/sessions/{session}/messages/msg_2/cancel")
    examples.compare("getUIChatStream", stream)
    examples.post(f"/sessions/{session}/messages", content=ENDLESS)
    examples.send("postUIChatStop", chat_id=session)


def send_examples_of_completions(examples: Examples) -> None:
    for name in ("listV1Models", "getV1Model"):
        examples.send(name, model="default")
    for example in ("plain", "stream"):
        examples.send("createV1ChatCompletion", example)
    examples.ids["response_id"] = examples.send("createV1Response", "plain")["id"]
    for example in ("plain", "stream"):
        examples.send("getV1Response", example)
    examples.send("listV1InputItems")
    examples.send("deleteV1Response")
    for example in ("stream", "background"):
        examples.send("createV1Response", example)
    endless = examples.post("/v1/responses", input=ENDLESS, background=True)
    examples.send("cancelV1Response", response_id=endless["id"])


def send_examples_of_conversations(examples: Examples) -> None:
    examples.ids["conversation_id"] = examples.send("createV1Conversation")["id"]
    for name in ("getV1Conversation", "updateV1Conversation"):
        examples.send(name)
    examples.ids["item_id"] = examples.send("createV1Items")["data"][0]["id"]
    for name in ("listV1Items", "getV1Item", "deleteV1Item", "deleteV1Conversation"):
        examples.send(name)


def send_examples_of_tokens(examples: Examples) -> None:
    """Send the examples for which a client has only the token of a session."""
    token = examples.send("postTutorialToken")["token"]
    examples.send("getTutorialRefresh", token=token)
    session = examples.post("/sessions")
    examples.ids["session_id"] = session["id"]
    examples.headers = {"Authorization": f"Bearer {session['token']}"}
    examples.post("/messages", content=ENDLESS)
    wait_until(lambda: replies(examples, "in_progress"))
    examples.send("postPostMessage")
    for queued_and_running in ("msg_4", "msg_2"):
        examples.send("postCancel", message_id=queued_and_running)
    examples.send("deleteSession")


def replies(examples: Examples, status: str) -> int:
    """Return the number of replies with this status."""
    messages = examples.get(f"/sessions/{examples.ids['session_id']}")["messages"]
    return sum(each["role"] == "assistant" and each["status"] == status for each in messages)
