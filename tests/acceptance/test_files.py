"""Images of messages: stored once, sent to the model unchanged, and deleted with their session."""

import hashlib
import os
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import openai
import pytest
import requests
from openai import OpenAI
from redis import Redis

from tests.harness.stack import Stack

PNG = b"\x89PNG\r\n\x1a\n"
TIMEOUT = 60


def png(size: int = 2_000_000) -> bytes:
    return PNG + os.urandom(size - len(PNG))


def data_url(content: bytes) -> str:
    return f"data:image/png;base64,{b64encode(content).decode()}"


def look(content: bytes, text: str = "Look") -> Any:
    parts = [
        {"type": "input_text", "text": text},
        {"type": "input_image", "image_url": data_url(content), "detail": "high"},
    ]
    return [{"type": "message", "role": "user", "content": parts}]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    env = {"MODEL_INPUTS": "text,image", "CHAT_MESSAGES_PER_MINUTE": "0"}
    env["CHAT_MAX_BYTES_PER_ADDRESS"] = "0"
    with Stack(tmp_path_factory.mktemp("files"), env=env) as stack:
        yield stack.start()


@pytest.fixture
def session(stack: Stack) -> dict[str, Any]:
    response = requests.post(f"{stack.web().url}/sessions", json={}, timeout=TIMEOUT)
    session: dict[str, Any] = response.json()
    return session


@pytest.fixture
def client(stack: Stack, session: dict[str, Any]) -> Iterator[OpenAI]:
    url, token = f"{stack.web().url}/v1", session["token"]
    with OpenAI(base_url=url, api_key=token, timeout=TIMEOUT, max_retries=0) as client:
        yield client


@pytest.fixture
def redis(stack: Stack) -> Iterator[Redis]:
    with Redis.from_url(stack.redis.url) as client:
        yield client


def received(stack: Stack) -> list[dict[str, Any]]:
    """Return the images that the model has received with its last call."""
    calls = requests.get(f"{stack.model.url}/__calls__", timeout=TIMEOUT).json()["calls"]
    attachments: list[dict[str, Any]] = calls[-1]["attachments"]
    return attachments


def describe(content: bytes) -> dict[str, Any]:
    return {
        "type": "image_url",
        "media_type": "image/png",
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def test_image_is_stored_once_and_reaches_the_model_unchanged(
    stack: Stack, client: OpenAI, session: dict[str, Any], redis: Redis
) -> None:
    content = png()
    for _ in range(2):
        response = client.responses.create(input=look(content))
        assert response.status == "completed"
        assert received(stack)[-1] == describe(content)
    assert len(received(stack)) == 2  # of both messages

    (key,) = redis.scan_iter(f"chat:*:files:{session['id']}")
    assert redis.hlen(key) == 2  # content and description
    (log,) = redis.scan_iter(f"chat:*:log:{session['id']}")
    lines: Any = redis.lrange(log, 0, -1)
    assert sum(map(len, lines)) < 50_000

    item: Any = client.responses.input_items.list(response.id).data[0]
    assert [part.type for part in item.content] == ["input_text", "input_image"]
    path = f"{stack.web().url}/sessions/{session['id']}/files/{item.content[1].file_id}"
    headers = {"Authorization": f"Bearer {session['token']}"}
    file = requests.get(path, headers=headers, timeout=TIMEOUT)
    assert file.content == content
    assert file.headers["Content-Disposition"].startswith("attachment")
    assert file.headers["Content-Security-Policy"].startswith("sandbox")
    assert file.headers["X-Content-Type-Options"] == "nosniff"

    requests.delete(f"{stack.web().url}/sessions/{session['id']}", headers=headers, timeout=TIMEOUT)
    assert list(redis.scan_iter(f"chat:*:files:{session['id']}")) == []


def test_hundred_images_are_rejected_by_the_limit_of_the_session(
    stack: Stack, client: OpenAI, session: dict[str, Any]
) -> None:
    url = f"{stack.web().url}/sessions/{session['id']}/files"
    headers = {"Authorization": f"Bearer {session['token']}"}
    for number in range(16):
        response = requests.post(url, data=png(), headers=headers, timeout=TIMEOUT)
        assert response.status_code == 201, (number, response.text)
    with pytest.raises(openai.RateLimitError) as caught:
        client.responses.create(input=look(png()))
    assert caught.value.code == "session_files_full"
    assert client.responses.create(input="Hello").status == "completed"


def test_chat_completions_and_messages_have_images(
    stack: Stack, client: OpenAI, session: dict[str, Any]
) -> None:
    web, content = stack.web().url, png(3000)
    headers = {"Authorization": f"Bearer {session['token']}"}
    file = requests.post(
        f"{web}/sessions/{session['id']}/files?filename=cat.png",
        data=content,
        headers=headers,
        timeout=TIMEOUT,
    ).json()
    assert (file["media_type"], file["filename"]) == ("image/png", "cat.png")
    parts = [{"type": "text", "text": "Look"}, {"type": "image", "file_id": file["id"]}]
    accepted = requests.post(
        f"{web}/messages", json={"parts": parts}, headers=headers, timeout=TIMEOUT
    ).json()
    assert accepted["message"]["content"] == "Look"
    assert accepted["message"]["parts"][1] == {
        "type": "image",
        "file_id": file["id"],
        "filename": "cat.png",
        "media_type": "image/png",
        "size": 3000,
        "detail": "auto",
    }
    client.responses.create(input="And now?")
    assert received(stack) == [describe(content)]
    with pytest.raises(openai.BadRequestError, match="reads text and image only"):
        client.responses.create(
            input=[
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "input_file",
                            "file_data": "data:text/plain;base64,YQ==",
                            "filename": "a.txt",
                        }
                    ],
                }
            ]
        )
