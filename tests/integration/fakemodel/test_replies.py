"""Replies without faults, over HTTP."""

import json
from collections.abc import Callable

import pytest
import requests

from tests.integration.fakemodel.server import (
    CHAT,
    COMPLETIONS,
    GENERATE,
    STREAMING_PATHS,
    FakeModel,
    events,
    reply_text,
)


@pytest.mark.parametrize("path", STREAMING_PATHS)
@pytest.mark.parametrize("stream", [False, True])
def test_all_formats_return_the_same_reply(model: FakeModel, path: str, stream: bool) -> None:
    response = model.post(path, "Grüße \U0001f600", stream=stream)

    assert reply_text(path, response.content, stream=stream) == "echo: Grüße \U0001f600"
    kind = "text/event-stream" if stream else "application/json"
    assert response.headers["content-type"].startswith(kind)


def test_a_chat_stream_has_usage_only_on_request(model: FakeModel) -> None:
    plain = model.post(CHAT, "Hello", stream=True).content
    with_usage = model.post(
        CHAT, "Hello", stream=True, stream_options={"include_usage": True}
    ).content

    assert not any("usage" in event for event in events(plain))
    assert [event["usage"] is None for event in events(with_usage)][-2:] == [True, False]
    assert with_usage.endswith(b"data: [DONE]\n\n")


def test_max_tokens_limits_the_reply(model: FakeModel) -> None:
    response = model.post(CHAT, "one two three", max_tokens=2).json()

    assert response["choices"][0]["message"]["content"] == "echo: one"
    assert response["choices"][0]["finish_reason"] == "length"
    assert response["usage"]["completion_tokens"] == 2


def test_a_base_model_runs_on_until_a_stop_sequence(model: FakeModel) -> None:
    on = model.post(COMPLETIONS, "Hello [[run_on]]").json()["choices"][0]["text"]
    stopped = model.post(COMPLETIONS, "Hello [[run_on]]", stop=["\nHuman"]).json()["choices"][0]

    assert on == "echo: Hello [[run_on]]\nHuman: Next question\nBot: Next answer"
    assert (stopped["text"], stopped["finish_reason"]) == ("echo: Hello [[run_on]]", "stop")


def test_text_generation_keeps_the_stop_sequence(model: FakeModel) -> None:
    parameters = {"stop": ["\nHuman"], "return_full_text": False}

    response = model.post(GENERATE, "Hello [[run_on]]", parameters=parameters).json()

    assert response == [{"generated_text": "echo: Hello [[run_on]]\nHuman"}]


def test_a_hosted_model_repeats_the_prompt_by_default(model: FakeModel) -> None:
    response = model.post(GENERATE, "Hello", parameters={}).json()

    assert response == [{"generated_text": "Human: Hello\nBot: echo: Hello"}]


def test_tgi_paths_return_tgi_responses(model: FakeModel) -> None:
    plain = model.post("/generate", "Hello", parameters={"details": True}).json()
    stream = model.post("/generate_stream", "Hello")

    assert plain["generated_text"] == "echo: Hello"
    assert plain["details"]["finish_reason"] == "eos_token"
    assert stream.content.startswith(b'data:{"index":1,"token":{"id":')
    assert events(stream.content)[-1]["generated_text"] == "echo: Hello"


def test_a_continuation_starts_with_a_space_if_needed(model: FakeModel) -> None:
    response = model.post(GENERATE, "", inputs="Human: Hello\nBot:").json()

    assert response == [{"generated_text": " echo: Hello"}]


@pytest.mark.parametrize("path", STREAMING_PATHS)
def test_history_returns_all_messages_received(model: FakeModel, path: str) -> None:
    shown = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi"},
        {"role": "user", "content": "And now? [[history]]"},
    ]
    flat = "Be kind.\nHuman: Hello\nBot: Hi\nHuman: And now? [[history]]\nBot: "

    response = model.post(path, "", messages=shown, prompt=flat, inputs=flat)

    reply = reply_text(path, response.content, stream=False)
    assert reply.startswith("echo: And now? [[history]]\n")
    assert json.loads(reply.rsplit("\n", 1)[1]) == shown


def test_the_demo_style_is_the_default(start: Callable[..., FakeModel]) -> None:
    assert start().ask("Help").startswith("I am the **fake model**")


def test_a_reply_has_the_requested_length(start: Callable[..., FakeModel]) -> None:
    response = start("--tokens", "30").post(CHAT, "Hello").json()

    assert response["usage"]["completion_tokens"] == 30


def test_the_model_is_listed(model: FakeModel) -> None:
    listed = model.get("/v1/models")

    assert [entry["id"] for entry in listed["data"]] == ["fake-model"]
    assert model.get("/live")["status"] == "ok"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT, b"{"),
        (CHAT, b"[]"),
        (CHAT, b'{"model":"m"}'),
        (CHAT, b'{"model":"m","messages":[]}'),
        (CHAT, b'{"model":"m","messages":[{"role":"king","content":"x"}]}'),
        (CHAT, b'{"model":"m","messages":[{"role":"user","content":3}]}'),
        (CHAT, b'{"messages":[{"role":"user","content":"x"}]}'),
        (CHAT, b'{"model":"m","messages":[{"role":"user","content":"x"}],"max_tokens":0}'),
        (CHAT, b'{"model":"m","messages":[{"role":"user","content":"x"}],"n":2}'),
        (CHAT, b'{"model":"m","messages":[{"role":"user","content":"[[fault:x]]"}]}'),
        (CHAT, b'{"model":"m","messages":[{"role":"user","content":"\\ud800"}]}'),
        (COMPLETIONS, b'{"model":"m","prompt":["x"]}'),
        (COMPLETIONS, b'{"model":"m","prompt":"x","stop":3}'),
        (GENERATE, b'{"inputs":"x","parameters":[]}'),
        (GENERATE, b'{"inputs":"x","stream":"yes"}'),
    ],
)
def test_an_invalid_body_is_a_400_in_the_shape_of_its_format(
    model: FakeModel, path: str, body: bytes
) -> None:
    response = requests.post(model.url + path, data=body, timeout=5)

    assert response.status_code == 400
    error = response.json()["error"]
    assert error if path == GENERATE else error["type"] == "invalid_request_error"


def test_a_body_that_is_too_large_is_a_413(model: FakeModel) -> None:
    response = requests.post(model.url + CHAT, data=b"x" * (17 * 1024 * 1024), timeout=10)

    assert response.status_code == 413


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nothing", 404), ("POST", "/live", 405), ("GET", CHAT, 405), ("GET", "/", 405)],
)
def test_wrong_paths_and_methods_are_rejected(
    model: FakeModel, method: str, path: str, status: int
) -> None:
    assert requests.request(method, model.url + path, timeout=5).status_code == status
