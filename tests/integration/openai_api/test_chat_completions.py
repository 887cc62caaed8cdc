"""`/v1/chat/completions`, called by the Python SDK and with the requests of other clients."""

import json
import secrets
from collections.abc import Callable
from typing import Any

import openai
import pytest
import requests
from openai import OpenAI

from fakemodel.replies.compose import REASONING
from tests.harness.stack import Stack
from tests.harness.wait import wait_until

HISTORY = "[[history]]"
# In the form that Open WebUI 0.6, LibreChat 0.8 and LiteLLM 1.7 send them.
CLIENT_REQUESTS: dict[str, dict[str, Any]] = {
    "Open WebUI, chat": {
        "stream": True,
        "model": "default",
        "messages": [
            {"role": "system", "content": "You are helpful."},
            {"role": "user", "content": "Hello"},
        ],
        "stream_options": {"include_usage": True},
    },
    "Open WebUI, title": {
        "model": "default",
        "messages": [{"role": "user", "content": "### Task:\nGenerate a concise title"}],
        "stream": False,
        "max_completion_tokens": 1000,
    },
    "Open WebUI, parts": {
        "stream": True,
        "model": "default",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}],
    },
    "LibreChat": {
        "model": "default",
        "user": "66f0c1e2a7b3",
        "stream": True,
        "temperature": 1,
        "top_p": 1,
        "presence_penalty": 0,
        "frequency_penalty": 0,
        "stream_options": {"include_usage": True},
        "messages": [{"role": "user", "content": "Hello"}],
    },
    "LiteLLM": {
        "model": "default",
        "messages": [
            {"role": "user", "content": "Hello"},
            {"role": "assistant", "content": "Hi", "tool_calls": None, "function_call": None},
            {"role": "user", "content": "Hello again"},
        ],
        "max_tokens": 50,
        "n": 1,
        "user": "litellm",
        "metadata": {"tags": ["a"]},
    },
}


FILE = {"type": "file", "file": {"file_data": "data:text/plain;base64,YQ=="}}


def ask(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


def test_completion_has_text_and_usage(client: OpenAI) -> None:
    completion = client.chat.completions.create(model="default", messages=ask("Say hello."))
    (choice,) = completion.choices
    assert choice.finish_reason == "stop"
    assert (choice.message.content or "").startswith("You wrote:")
    assert completion.usage is not None
    assert completion.usage.total_tokens > 0


def test_stream_has_role_text_and_usage(client: OpenAI) -> None:
    chunks = list(
        client.chat.completions.create(
            model="default",
            messages=ask("Say hello."),
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    plain = client.chat.completions.create(model="default", messages=ask("Say hello."))
    text = "".join(each.choices[0].delta.content or "" for each in chunks[:-1])
    assert text == plain.choices[0].message.content


def test_model_receives_all_messages(client: OpenAI) -> None:
    messages: list[Any] = [
        {"role": "assistant", "content": "Welcome!"},
        {"role": "system", "content": "Be brief."},
        *[{"role": "user", "content": f"number {i}"} for i in range(60)],
        {"role": "user", "content": HISTORY},
    ]
    completion = client.chat.completions.create(model="default", messages=messages)
    content = completion.choices[0].message.content or ""
    received = json.loads(content.rsplit("\n", 1)[-1])
    assert received == [messages[1], messages[0], *messages[2:]]


@pytest.mark.parametrize("name", CLIENT_REQUESTS)
def test_requests_of_known_clients_are_answered(base_url: str, api_key: str, name: str) -> None:
    response = requests.post(
        f"{base_url}/chat/completions",
        json=CLIENT_REQUESTS[name],
        headers={"Authorization": f"Bearer {api_key}"},
        timeout=30,
    )
    assert response.status_code == 200, response.text
    if CLIENT_REQUESTS[name].get("stream"):
        assert response.text.endswith("data: [DONE]\n\n")
    else:
        assert response.json()["choices"][0]["message"]["content"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"n": 2}, "unsupported_parameter"),
        ({"logprobs": True}, "unsupported_parameter"),
        ({"audio": {}}, "unsupported_parameter"),
        ({"functions": [{"name": "f"}]}, "unsupported_parameter"),
        ({"messages": []}, "invalid_request"),
        ({"stop": ["a"] * 5}, "invalid_request"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            "invalid_request",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]},
            "unsupported_content",
        ),
        (
            {"messages": [{"role": "user", "content": [FILE]}]},
            "unsupported_content",
        ),
        ({"messages": [{"role": "tool", "content": "x"}]}, "invalid_request"),
    ],
)
def test_invalid_requests_are_rejected(client: OpenAI, fields: dict[str, Any], code: str) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(**{"model": "default", "messages": ask("Hello"), **fields})
    assert raised.value.code == code


@pytest.mark.parametrize("is_stream", [True, False])
def test_failure_before_the_first_text_has_its_own_status(
    client: OpenAI, *, is_stream: bool
) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        client.chat.completions.create(
            model="default", messages=ask("Hello [[fault:400]]"), stream=is_stream
        )
    assert raised.value.code == "model_bad_request"


def test_failure_after_text_is_an_error_in_the_stream(client: OpenAI) -> None:
    stream = client.chat.completions.create(
        model="default", messages=ask("long [[fault:cut after=20 rate=100]]"), stream=True
    )
    with pytest.raises(openai.APIError):
        list(stream)


def test_closing_the_stream_stops_the_model(client: OpenAI, stack: Stack, api_key: str) -> None:
    stream = client.chat.completions.create(
        model="default", messages=ask("long [[rate=5 tokens=500]]"), stream=True
    )
    chunk = next(iter(stream))
    stream.close()
    session = f"ses_{chunk.id.removeprefix('chatcmpl-')}"
    wait_until(lambda: _reply_of(stack, session, api_key)["status"] == "cancelled", within=15)


def test_user_of_a_trusted_key_owns_the_session(
    client: OpenAI, stack: Stack, new_key: Callable[..., str]
) -> None:
    trusted = client.with_options(api_key=new_key("shop", ("sessions", "users")))
    completion = trusted.chat.completions.create(
        model="default", messages=ask("Say hello."), user="ann"
    )
    session = f"ses_{completion.id.removeprefix('chatcmpl-')}"
    for user, status in (("ann", 200), ("bob", 404)):
        response = requests.get(
            f"{stack.web().url}/sessions/{session}",
            headers={"Authorization": f"Bearer {trusted.api_key}", "Parley-User": user},
            timeout=10,
        )
        assert response.status_code == status


def test_list_of_sessions_has_chats_only(
    client: OpenAI, stack: Stack, new_key: Callable[..., str]
) -> None:
    """No chat completions, and no responses that are not stored; both are erased with the user."""
    key = new_key("", ("sessions", "users"))
    headers = {"Authorization": f"Bearer {key}", "Parley-User": f"user-{secrets.token_hex(4)}"}
    own = client.with_options(api_key=key, default_headers=headers)
    own.chat.completions.create(model="default", messages=ask("Say hello."), store=True)
    own.responses.create(input="Say hello.", store=False)
    stored = own.responses.create(input="Say hello.")
    url = stack.web().url
    listed = requests.get(f"{url}/sessions", headers=headers, timeout=10).json()["data"]
    assert [each["id"] for each in listed] == [f"ses_{stored.id.split('_')[1]}"]
    user = headers["Parley-User"]
    erased = requests.delete(f"{url}/users/{user}", headers=headers, timeout=10).json()
    assert erased == {"deleted_sessions": 3}


def _reply_of(stack: Stack, session: str, key: str) -> dict[str, Any]:
    response = requests.get(
        f"{stack.web().url}/sessions/{session}/messages/msg_2",
        headers={"Authorization": f"Bearer {key}"},
        timeout=10,
    )
    reply: dict[str, Any] = response.json()
    return reply


def test_reasoning_has_its_own_field(client: OpenAI) -> None:
    request: Any = {"model": "default", "messages": ask("Hello [[reasoning]]")}
    plain = client.chat.completions.create(**request)
    assert plain.choices[0].message.to_dict()["reasoning_content"] == REASONING
    chunks = [
        each.choices[0].delta for each in client.chat.completions.create(**request, stream=True)
    ]
    parts = [each.to_dict().get("reasoning_content", "") for each in chunks]
    assert "".join(map(str, parts)) == REASONING
    assert "".join(each.content or "" for each in chunks) == plain.choices[0].message.content
