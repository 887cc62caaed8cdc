"""`/v1/conversations` and `/v1/models`, called by the Python SDK."""

from typing import Any

import openai
import pytest
from openai import OpenAI
from redis import Redis

from chat.store import keys
from tests.harness.stack import Stack
from tests.integration.api.client import APIClient


def texts(client: OpenAI, conversation_id: str, **query: Any) -> list[str]:
    items: Any = client.conversations.items.list(conversation_id, **query)
    return [item.content[0].text for item in items]


def test_conversation_can_be_created_changed_and_deleted(client: OpenAI) -> None:
    created = client.conversations.create(metadata={"topic": "a"})
    assert client.conversations.retrieve(created.id) == created
    changed = client.conversations.update(created.id, metadata={"topic": "b"})
    assert changed.metadata == {"topic": "b"}
    deleted = client.conversations.delete(created.id)
    assert (deleted.id, deleted.deleted) == (created.id, True)
    for call in (client.conversations.retrieve, client.conversations.items.list):
        with pytest.raises(openai.NotFoundError):
            call(created.id)


@pytest.mark.security("S60")
def test_session_token_opens_no_other_session(stack: Stack, base_url: str) -> None:
    token = APIClient(stack.web().url).open_session().token
    pattern = keys.repeated_request("*")
    with Redis.from_url(stack.redis.url) as redis:
        before = set(redis.scan_iter(pattern))
        own = OpenAI(base_url=base_url, api_key=token, max_retries=0)
        messages: list[Any] = [{"role": "user", "content": "Hello"}]
        for call in (
            own.conversations.create,
            lambda: own.chat.completions.create(model="default", messages=messages),
        ):
            with pytest.raises(openai.PermissionDeniedError) as caught:
                call()
            assert caught.value.code == "not_allowed"
        assert set(redis.scan_iter(pattern)) == before


def test_responses_add_their_items_to_the_conversation(client: OpenAI) -> None:
    conversation = client.conversations.create(
        items=[
            {"type": "message", "role": "system", "content": "Be brief."},
            {"type": "message", "role": "user", "content": "My name is Ann."},
        ]
    )
    response = client.responses.create(input="What is my name?", conversation=conversation.id)
    assert "Ann" in response.output_text
    assert response.conversation is not None
    assert response.conversation.id == conversation.id
    assert texts(client, conversation.id, order="asc") == [
        "My name is Ann.",
        "What is my name?",
        response.output_text,
    ]
    client.responses.delete(response.id)
    assert len(texts(client, conversation.id)) == 3


def test_items_are_listed_in_pages(client: OpenAI) -> None:
    conversation = client.conversations.create()
    added = client.conversations.items.create(
        conversation.id,
        items=[{"type": "message", "role": "user", "content": f"number {i}"} for i in range(7)],
    )
    assert len(added.data) == 7
    for limit in (1, 3, 100):
        assert texts(client, conversation.id, limit=limit, order="asc") == [
            f"number {i}" for i in range(7)
        ]
        assert texts(client, conversation.id, limit=limit) == [
            f"number {i}" for i in reversed(range(7))
        ]


def test_items_can_be_retrieved_and_deleted(client: OpenAI) -> None:
    conversation = client.conversations.create()
    (item,) = client.conversations.items.create(
        conversation.id, items=[{"type": "message", "role": "user", "content": "My name is Ann."}]
    ).data
    assert item.id is not None
    found = client.conversations.items.retrieve(item.id, conversation_id=conversation.id)
    assert found == item
    client.conversations.items.delete(item.id, conversation_id=conversation.id)
    with pytest.raises(openai.NotFoundError):
        client.conversations.items.retrieve(item.id, conversation_id=conversation.id)
    response = client.responses.create(input="[[history]]", conversation=conversation.id)
    assert "Ann" not in response.output_text


def test_conversation_and_previous_response_exclude_each_other(client: OpenAI) -> None:
    conversation = client.conversations.create()
    with pytest.raises(openai.BadRequestError, match="exclude each other"):
        client.responses.create(
            input="Hello",
            conversation=conversation.id,
            previous_response_id="resp_" + "0" * 24 + "_2",
        )


def test_models_are_those_of_the_configuration(client: OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["default"]
    assert client.models.retrieve("default").object == "model"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("no/such/model")


def test_reasoning_is_listed_before_its_reply(client: OpenAI) -> None:
    conversation = client.conversations.create()
    for _ in range(2):
        client.responses.create(input="Hello [[reasoning]]", conversation=conversation.id)
    kinds = ["message", "reasoning", "message"] * 2
    for limit in (1, 2, 3, 100):
        for order in ("asc", "desc"):
            listed: Any = client.conversations.items.list(conversation.id, limit=limit, order=order)
            items = list(listed)
            assert [item.type for item in items] == (kinds if order == "asc" else kinds[::-1])
            assert len({item.id for item in items}) == len(kinds)
    reasoning = next(item for item in items if item.type == "reasoning")
    found = client.conversations.items.retrieve(reasoning.id, conversation_id=conversation.id)
    assert found == reasoning
    with pytest.raises(openai.BadRequestError, match="Delete the message"):
        client.conversations.items.delete(reasoning.id, conversation_id=conversation.id)
    client.conversations.items.delete(
        reasoning.id.replace("rs_", "msg_"), conversation_id=conversation.id
    )
    with pytest.raises(openai.NotFoundError):
        client.conversations.items.retrieve(reasoning.id, conversation_id=conversation.id)


@pytest.mark.security("S47")
def test_page_of_items_is_limited_in_bytes(client: OpenAI) -> None:
    text = "x" * 400_000
    given: Any = [{"type": "message", "role": "user", "content": f"{i} {text}"} for i in range(5)]
    conversation = client.conversations.create()
    for item in given:
        client.conversations.items.create(conversation.id, items=[item])
    first = client.conversations.items.list(conversation.id, limit=100)
    assert 0 < len(first.data) < 5
    assert first.has_more
    assert len({each.id for each in first}) == 5  # the SDK reads the other pages
