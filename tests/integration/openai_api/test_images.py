"""Images in the history of responses and conversations."""

import hashlib
from secrets import token_bytes, token_hex
from typing import Any

import openai
import pytest
import requests
from openai import OpenAI

from chat.domain.files import to_data_url
from tests.harness.stack import Stack


def png() -> bytes:
    return b"\x89PNG\r\n\x1a\n" + token_bytes(100)


def look(content: bytes, text: str = "Look") -> Any:
    image = {"type": "input_image", "image_url": to_data_url("image/png", content)}
    return {"role": "user", "content": [{"type": "input_text", "text": text}, image]}


def received(stack: Stack, marker: str) -> list[str]:
    """Return the hashes of the images that the model got with the message with a marker."""
    response = requests.get(f"{stack.model.url}/__calls__", {"match": marker}, timeout=10)
    (call,) = response.json()["calls"]
    return [each["sha256"] for each in call["attachments"]]


def hashes(*contents: bytes) -> list[str]:
    return [hashlib.sha256(content).hexdigest() for content in contents]


def test_images_of_the_input_are_the_history_of_a_new_session(stack: Stack, client: OpenAI) -> None:
    first, second, marker = png(), png(), token_hex(8)
    reply: Any = {"role": "assistant", "content": "A cat."}
    response = client.responses.create(input=[look(first), reply, look(second, marker)])
    assert received(stack, marker) == hashes(first, second)
    items: Any = client.responses.input_items.list(response.id, order="asc").data
    assert [part.type for part in items[0].content] == ["input_text", "input_image"]
    assert items[0].content[1].file_id.startswith("file_")
    assert items[1].content[0].text == "A cat."


def test_images_before_the_message_are_part_of_it(stack: Stack, client: OpenAI) -> None:
    first = client.responses.create(input="Hello")
    content, marker = png(), token_hex(8)
    client.responses.create(
        input=[look(content), {"role": "user", "content": marker}],
        previous_response_id=first.id,
    )
    assert received(stack, marker) == hashes(content)


@pytest.mark.security("S65")
def test_copy_of_a_session_has_its_images(stack: Stack, client: OpenAI) -> None:
    content, marker = png(), token_hex(8)
    first = client.responses.create(input=[look(content)])
    client.responses.create(input="Another", previous_response_id=first.id)
    client.responses.create(input=marker, previous_response_id=first.id)
    assert received(stack, marker) == hashes(content)


def test_items_of_conversations_have_images(stack: Stack, client: OpenAI) -> None:
    first, second, marker = png(), png(), token_hex(8)
    conversation = client.conversations.create(items=[look(first)])
    added: Any = client.conversations.items.create(conversation.id, items=[look(second)])
    file_id = added.data[0].content[1].file_id
    again: Any = {"role": "user", "content": [{"type": "input_image", "file_id": file_id}]}
    client.conversations.items.create(conversation.id, items=[again])
    client.responses.create(input=marker, conversation=conversation.id)
    assert received(stack, marker) == hashes(first, second, second)
    with pytest.raises(openai.BadRequestError, match="has no file"):
        client.conversations.create(items=[again])
