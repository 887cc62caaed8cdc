"""Requests that the SDK repeats after a lost connection."""

import random
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import openai
import pytest
import requests
from openai import OpenAI

from chat.domain import Scope
from tests.harness.proxy import Proxy
from tests.harness.stack import Stack
from tests.harness.tiers import thorough
from tests.integration.openai_api.node_sdk import iterate_lines, needs_node, start_node

# Minutes: the SDK waits before it repeats a request.
HELLO: Any = {"role": "user", "content": "Hello"}
LONG = [pytest.mark.thorough, pytest.mark.timeout(1200)]


def cut(client: OpenAI, proxy: Proxy, text: str, seconds: float, *, is_chat: bool) -> str:
    """Ask while the connection is cut once; return the text of the answer."""
    timer = threading.Timer(seconds, proxy.disconnect)
    timer.start()
    try:
        if is_chat:
            completion = client.chat.completions.create(
                model="default", messages=[{"role": "user", "content": text}]
            )
            return completion.choices[0].message.content or ""
        return str(client.responses.create(input=text).output_text)
    finally:
        timer.join()


def calls_of(stack: Stack, marker: str) -> list[str]:
    """Return the calls of the model with this text."""
    params: dict[str, str] = {"limit": "1000", "match": marker}
    response = requests.get(f"{stack.model.url}/__calls__", params, timeout=10)
    return [str(call) for call in response.json()["calls"]]


def check_one_call_each(stack: Stack, marker: str, times: int) -> None:
    prompts = calls_of(stack, marker)
    counts = [sum(f"{marker} number {i}." in each for each in prompts) for i in range(times)]
    assert counts == [1] * times


@pytest.mark.parametrize("times", [10, pytest.param(200, marks=LONG)], ids=["few", "many"])
@pytest.mark.parametrize("is_chat", [True, False], ids=["chat", "responses"])
def test_repeated_requests_create_no_second_reply(
    stack: Stack, client: OpenAI, times: int, *, is_chat: bool
) -> None:
    marker = f"cut-{random.getrandbits(32):08x}"
    with Proxy(stack.web().url) as proxy:
        through = client.with_options(base_url=f"{proxy.url}/v1", max_retries=5)
        for i in range(times):
            text = f"{marker} number {i}. [[rate=400]]"
            answer = cut(through, proxy, text, random.uniform(0, 0.15), is_chat=is_chat)
            assert f"number {i}." in answer
    check_one_call_each(stack, marker, times)


@needs_node
@pytest.mark.parametrize("times", [5, pytest.param(200, marks=LONG)], ids=["few", "many"])
@pytest.mark.parametrize("kind", ["responses", *thorough("chat")])
def test_requests_repeated_by_node_create_no_second_reply(
    stack: Stack, api_key: str, times: int, kind: str
) -> None:
    """Node prints a line before each request, whose connection is then cut."""
    marker = f"cut-{random.getrandbits(32):08x}"
    with Proxy(stack.web().url) as proxy:
        with start_node(
            *("cuts.js", kind, marker, str(times)), base_url=f"{proxy.url}/v1", api_key=api_key
        ) as node:
            for _ in iterate_lines(node):
                threading.Timer(random.uniform(0, 0.15), proxy.disconnect).start()
        assert node.returncode == 0
    check_one_call_each(stack, marker, times)


def item_texts(client: OpenAI, conversation_id: str) -> list[str]:
    items: Any = client.conversations.items.list(conversation_id, order="asc")
    return [item.content[0].text for item in items]


def sessions_of(client: OpenAI, user: str) -> int:
    """Return the number of sessions of a user, by erasing them."""
    url = str(client.base_url).removesuffix("/v1/")
    answer: Any = client.delete(f"{url}/users/{user}", cast_to=object)
    return int(answer["deleted_sessions"])


def call_repeated(stack: Stack, client: OpenAI, path: str, call: Callable[[OpenAI], Any]) -> Any:
    """Call while the first response is lost, so that the SDK repeats the request."""
    with Proxy(stack.web().url) as proxy:
        proxy.drop_response_to(path)
        return call(client.with_options(base_url=f"{proxy.url}/v1", max_retries=2))


CREATING: dict[str, Callable[[OpenAI], Any]] = {
    "responses": lambda client: client.responses.create(input="Hello"),
    "streamed response": lambda client: list(client.responses.create(input="Hello", stream=True)),
    "background response": lambda client: client.responses.create(input="Hello", background=True),
    "chat completion": lambda client: client.chat.completions.create(
        model="default", messages=[{"role": "user", "content": "Hello"}]
    ),
    "conversation": lambda client: client.conversations.create(items=[HELLO]),
}


@pytest.mark.parametrize("name", CREATING)
def test_repeated_request_creates_one_session(
    stack: Stack, base_url: str, new_key: Callable[..., str], name: str
) -> None:
    key, user = new_key(scopes=(Scope.USERS, Scope.SESSIONS)), f"user-{random.getrandbits(32)}"
    headers = {"Parley-User": user}
    with OpenAI(base_url=base_url, api_key=key, default_headers=headers) as client:
        call_repeated(stack, client, "POST /v1/", CREATING[name])
        assert sessions_of(client, user) == 1


def test_repeated_request_adds_items_once(stack: Stack, client: OpenAI) -> None:
    conversation = client.conversations.create().id

    def add(client: OpenAI, text: str = "Hello", **headers: str) -> Any:
        item: Any = {"role": "user", "content": text}
        items = client.conversations.items
        return items.create(conversation, items=[item], extra_headers=headers).data

    (added,) = call_repeated(stack, client, "/items", add)
    assert item_texts(client, conversation) == ["Hello"]
    assert client.conversations.items.retrieve(added.id, conversation_id=conversation) == added
    add(client)  # another one, which is equal
    assert add(client, **{"Idempotency-Key": "a"}) == add(client, **{"Idempotency-Key": "a"})
    assert item_texts(client, conversation) == ["Hello"] * 3
    with pytest.raises(openai.ConflictError):
        add(client, "Another", **{"Idempotency-Key": "a"})


@pytest.mark.thorough
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("times", [40, 200], ids=["few", "many"])
def test_connections_cut_at_random_moments_add_nothing_twice(
    stack: Stack, base_url: str, new_key: Callable[..., str], times: int
) -> None:
    """Conversations and their items."""
    key, user = new_key(scopes=(Scope.USERS, Scope.SESSIONS)), f"user-{random.getrandbits(32)}"
    client = OpenAI(base_url=base_url, api_key=key, default_headers={"Parley-User": user})
    conversation = client.conversations.create().id
    texts = [f"number {i}" for i in range(times)]
    with Proxy(stack.web().url) as proxy, client:
        through = client.with_options(base_url=f"{proxy.url}/v1", max_retries=5)
        for text in texts:
            item: Any = {"role": "user", "content": text}
            for call in (
                partial(through.conversations.create, items=[item]),
                partial(through.conversations.items.create, conversation, items=[item]),
            ):
                timer = threading.Timer(random.uniform(0, 0.03), proxy.disconnect)
                timer.start()
                call()
                timer.join()
        assert item_texts(client, conversation) == texts
        assert sessions_of(client, user) == 1 + times


def test_repeated_deletion_succeeds(stack: Stack, client: OpenAI) -> None:
    conversation = client.conversations.create(items=[HELLO]).id
    (item,) = client.conversations.items.list(conversation).data
    item_id = str(item.id)
    response = client.responses.create(input="Hello").id

    def delete_item(client: OpenAI) -> Any:
        return client.conversations.items.delete(item_id, conversation_id=conversation)

    for call in (
        delete_item,
        lambda client: client.conversations.delete(conversation),
        lambda client: client.responses.delete(response),
    ):
        call_repeated(stack, client, "DELETE /v1/", call)
        with pytest.raises(openai.NotFoundError):
            call(client)


def test_equal_requests_are_two_unless_they_say_otherwise(client: OpenAI) -> None:
    def create(**headers: str) -> Any:
        return client.responses.create(input="Say hello.", extra_headers=headers).id

    first, second = create(), create()
    assert first != second
    assert create(**{"x-stainless-retry-count": "1"}) == second
    assert create(**{"Idempotency-Key": "a"}) == create(**{"Idempotency-Key": "a"})
    with pytest.raises(openai.ConflictError):
        client.responses.create(input="Another.", extra_headers={"Idempotency-Key": "a"})
