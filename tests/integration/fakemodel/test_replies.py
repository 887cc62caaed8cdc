"""Replies over real HTTP, when all goes well."""

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
    said,
)


@pytest.mark.parametrize("path", STREAMING_PATHS)
@pytest.mark.parametrize("stream", [False, True])
def test_each_format_carries_the_same_reply(model: FakeModel, path: str, stream: bool) -> None:
    response = model.post(path, "Grüße \U0001f600", stream=stream)

    assert said(path, response.content, stream=stream) == "echo: Grüße \U0001f600"
    kind = "text/event-stream" if stream else "application/json"
    assert response.headers["content-type"].startswith(kind)


def test_a_chat_stream_ends_with_usage_only_if_asked(model: FakeModel) -> None:
    plain = model.post(CHAT, "Hello", stream=True).content
    asked = model.post(CHAT, "Hello", stream=True, stream_options={"include_usage": True}).content

    assert not any("usage" in event for event in events(plain))
    assert [event["usage"] is None for event in events(asked)][-2:] == [True, False]
    assert asked.endswith(b"data: [DONE]\n\n")


def test_max_tokens_ends_a_reply_by_length(model: FakeModel) -> None:
    answer = model.post(CHAT, "one two three", max_tokens=2).json()

    assert answer["choices"][0]["message"]["content"] == "echo: one"
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == 2


def test_a_raw_model_runs_on_unless_it_is_stopped(model: FakeModel) -> None:
    on = model.post(COMPLETIONS, "Hello [[run_on]]").json()["choices"][0]["text"]
    stopped = model.post(COMPLETIONS, "Hello [[run_on]]", stop=["\nHuman"]).json()["choices"][0]

    assert on == "echo: Hello [[run_on]]\nHuman: And what then?\nBot: Then we shall see."
    assert (stopped["text"], stopped["finish_reason"]) == ("echo: Hello [[run_on]]", "stop")


def test_text_generation_keeps_the_stop_text_as_tgi_does(model: FakeModel) -> None:
    parameters = {"stop": ["\nHuman"], "return_full_text": False}

    answer = model.post(GENERATE, "Hello [[run_on]]", parameters=parameters).json()

    assert answer == [{"generated_text": "echo: Hello [[run_on]]\nHuman"}]


def test_a_hosted_model_repeats_the_prompt_unless_told_not_to(model: FakeModel) -> None:
    answer = model.post(GENERATE, "Hello", parameters={}).json()

    assert answer == [{"generated_text": "Human: Hello\nBot: echo: Hello"}]


def test_tgis_own_paths_answer_in_tgis_shapes(model: FakeModel) -> None:
    plain = model.post("/generate", "Hello", parameters={"details": True}).json()
    stream = model.post("/generate_stream", "Hello")

    assert plain["generated_text"] == "echo: Hello"
    assert plain["details"]["finish_reason"] == "eos_token"
    assert stream.content.startswith(b'data:{"index":1,"token":{"id":')
    assert events(stream.content)[-1]["generated_text"] == "echo: Hello"


def test_a_flat_reply_begins_with_a_space_where_the_prompt_ends_without(model: FakeModel) -> None:
    answer = model.post(GENERATE, "", inputs="Human: Hello\nBot:").json()

    assert answer == [{"generated_text": " echo: Hello"}]


@pytest.mark.parametrize("path", STREAMING_PATHS)
def test_the_history_shows_exactly_what_the_model_was_shown(model: FakeModel, path: str) -> None:
    shown = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi"},
        {"role": "user", "content": "And now? [[history]]"},
    ]
    flat = "Be kind.\nHuman: Hello\nBot: Hi\nHuman: And now? [[history]]\nBot: "

    response = model.post(path, "", messages=shown, prompt=flat, inputs=flat)

    reply = said(path, response.content, stream=False)
    assert reply.startswith("echo: And now? [[history]]\n")
    assert json.loads(reply.rsplit("\n", 1)[1]) == shown


def test_the_demo_style_is_the_default(start: Callable[..., FakeModel]) -> None:
    assert start().say("Help").startswith("I am Parley's **dev model**")


def test_a_reply_has_the_length_that_was_asked_for(start: Callable[..., FakeModel]) -> None:
    answer = start("--tokens", "30").post(CHAT, "Hello").json()

    assert answer["usage"]["completion_tokens"] == 30


def test_the_models_are_listed(model: FakeModel) -> None:
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
def test_a_bad_body_is_a_400_in_the_formats_shape(model: FakeModel, path: str, body: bytes) -> None:
    response = requests.post(model.url + path, data=body, timeout=5)

    assert response.status_code == 400
    error = response.json()["error"]
    assert error if path == GENERATE else error["type"] == "invalid_request_error"


def test_a_body_beyond_the_bound_is_a_413(model: FakeModel) -> None:
    response = requests.post(model.url + CHAT, data=b"x" * (17 * 1024 * 1024), timeout=10)

    assert response.status_code == 413


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nothing", 404), ("POST", "/live", 405), ("GET", CHAT, 405), ("GET", "/", 405)],
)
def test_wrong_paths_and_methods_are_told(
    model: FakeModel, method: str, path: str, status: int
) -> None:
    assert requests.request(method, model.url + path, timeout=5).status_code == status
