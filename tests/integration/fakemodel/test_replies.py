"""Replies without faults, over HTTP."""

import json
from typing import Any

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

TEXT = 'Say "hi"\\ \n\U0001f600 Grüße'
HELLO = "Human: Hello [[run_on]]\nBot: "
STOP = {"stop": ["\nHuman"]}


@pytest.mark.parametrize("path", STREAMING_PATHS)
@pytest.mark.parametrize("stream", [False, True])
def test_all_formats_return_the_same_reply(model: FakeModel, path: str, stream: bool) -> None:
    response = model.post(path, TEXT, stream=stream)

    assert reply_text(path, response.content, stream=stream) == f"echo: {TEXT}"
    kind = "text/event-stream" if stream else "application/json"
    assert response.headers["content-type"].startswith(kind)


def test_a_chat_stream_has_role_text_finish_reason_and_usage(model: FakeModel) -> None:
    plain = model.post(CHAT, "one two", stream=True, max_tokens=2).content
    with_usage = model.post(
        CHAT, "one two", stream=True, max_tokens=2, stream_options={"include_usage": True}
    ).content

    choices = [event["choices"][0] for event in events(plain)]
    assert choices[0]["delta"] == {"role": "assistant", "content": "", "refusal": None}
    assert [choice["delta"].get("content") for choice in choices[1:]] == ["echo:", " one", None]
    assert [choice["finish_reason"] for choice in choices] == [None, None, None, "length"]
    assert not any("usage" in event for event in events(plain))
    *others, last = events(with_usage)
    assert [event["usage"] for event in others] == [None] * 4
    assert (last["choices"], last["usage"]["completion_tokens"]) == ([], 2)
    assert with_usage.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize(
    ("path", "fields", "expected"),
    [
        (COMPLETIONS, {},
         ("echo: Hello [[run_on]]\nHuman: Next question\nBot: Next answer", "stop")),
        (COMPLETIONS, STOP, ("echo: Hello [[run_on]]", "stop")),
        (COMPLETIONS, {"max_tokens": 2}, ("echo: Hello", "length")),
        (GENERATE, {"parameters": {"return_full_text": False, **STOP}},
         [{"generated_text": "echo: Hello [[run_on]]\nHuman"}]),
        (GENERATE, {"parameters": STOP},
         [{"generated_text": f"{HELLO}echo: Hello [[run_on]]\nHuman"}]),
        (GENERATE, {"inputs": "Human: Hello\nBot:"}, [{"generated_text": " echo: Hello"}]),
        ("/generate", {}, {"generated_text": "echo: Hello [[run_on]]\nHuman: Next question\n"
                                             "Bot: Next answer"}),
    ],
)  # fmt: skip
def test_a_plain_prompt_is_continued(
    model: FakeModel, path: str, fields: dict[str, Any], expected: object
) -> None:
    reply = model.post(path, "Hello [[run_on]]", **fields).json()

    if path == COMPLETIONS:
        reply = (reply["choices"][0]["text"], reply["choices"][0]["finish_reason"])
    assert reply == expected


@pytest.mark.parametrize(
    ("parameters", "reason", "last"),
    [
        ({}, "eos_token", ("</s>", True)),
        ({"max_new_tokens": 3}, "length", (" there", False)),
        ({"stop": [" friend"]}, "stop_sequence", (" friend", False)),
    ],
)
def test_tgi_describes_the_end_of_a_reply(
    model: FakeModel, parameters: dict[str, Any], reason: str, last: tuple[str, bool]
) -> None:
    text = "Hello there my friend"
    whole = model.post("/generate", text, parameters={"details": True, **parameters}).json()
    stream = model.post("/generate_stream", text, parameters=parameters).content
    chunks = events(stream)

    assert stream.startswith(b'data:{"index":1,"token":{"id":')
    assert [event["index"] for event in chunks] == list(range(1, len(chunks) + 1))
    *others, end = chunks
    assert all(event["generated_text"] is None for event in others)
    assert (end["token"]["text"], end["token"]["special"]) == last
    shown = "".join(event["token"]["text"] for event in chunks if not event["token"]["special"])
    assert shown == end["generated_text"] == whole["generated_text"]
    assert whole["details"]["finish_reason"] == end["details"]["finish_reason"] == reason
    assert whole["details"]["generated_tokens"] == end["details"]["generated_tokens"]


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

    first, _, last = reply_text(path, response.content, stream=False).rpartition("\n")
    assert first == "echo: And now? [[history]]"
    assert json.loads(last) == shown


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT, "{"),
        (CHAT, "[]"),
        (CHAT, '{"model":"m"}'),
        (CHAT, '{"model":"m","messages":[]}'),
        (CHAT, '{"model":"m","messages":[{"role":"king","content":"x"}]}'),
        (CHAT, '{"model":"m","messages":[{"role":"user","content":3}]}'),
        (CHAT, '{"messages":[{"role":"user","content":"x"}]}'),
        (CHAT, '{"model":"m","messages":[{"role":"user","content":"x"}],"max_tokens":0}'),
        (CHAT, '{"model":"m","messages":[{"role":"user","content":"x"}],"n":2}'),
        (CHAT, '{"model":"m","messages":[{"role":"user","content":"[[fault:x]]"}]}'),
        (CHAT, '{"model":"m","messages":[{"role":"user","content":"\\ud800"}]}'),
        (COMPLETIONS, '{"model":"m","prompt":["x"]}'),
        (COMPLETIONS, '{"model":"m","prompt":"x","stop":3}'),
        (GENERATE, '{"inputs":"x","parameters":[]}'),
        (GENERATE, '{"inputs":"x","stream":"yes"}'),
    ],
)
def test_an_invalid_body_is_a_400_in_the_shape_of_its_format(
    model: FakeModel, path: str, body: str
) -> None:
    response = requests.post(model.url + path, data=body, timeout=5)

    assert response.status_code == 400
    error = response.json()["error"]
    assert error if path == GENERATE else error["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("method", "path", "size", "status"),
    [
        ("POST", CHAT, 17 * 1024 * 1024, 413),
        ("GET", "/nothing", 0, 404),
        ("POST", "/models/", 0, 404),
        ("POST", f"{CHAT}/", 0, 404),
        ("POST", "/live", 0, 405),
        ("GET", CHAT, 0, 405),
        ("GET", "/", 0, 405),
        ("GET", "/live", 0, 200),
        ("GET", "/v1/models", 0, 200),
    ],
)
def test_paths_methods_and_sizes_are_checked(
    model: FakeModel, method: str, path: str, size: int, status: int
) -> None:
    response = requests.request(method, model.url + path, data=b"x" * size, timeout=10)

    assert response.status_code == status
    if path == "/v1/models":
        assert [entry["id"] for entry in response.json()["data"]] == ["fake-model"]
