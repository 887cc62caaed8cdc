import json
from typing import Any

import pytest

from fakemodel.calls import Call, Message
from fakemodel.formats.base import Rendering
from fakemodel.formats.registry import find_format
from fakemodel.replies.reply import TOKEN, Reply

TEXT = 'Say "hi"\\ \n\U0001f600 done'


def body(rendering: Rendering, reply: Reply) -> bytes:
    tokens = [rendering.encode_token(index, token) for index, token in enumerate(reply.tokens)]
    return b"".join((rendering.head, *tokens, rendering.tail, rendering.terminator))


def rendered(path: str, *, stream: bool, unknown_fields: bool = False, **ending: Any) -> bytes:
    call = Call(
        format="",
        model='m"1',
        messages=(Message("user", "x"),),
        prompt="x",
        stream=stream,
        as_list=path == "/",
        include_usage=True,
    )
    reply = Reply(tokens=tuple(TOKEN.findall(TEXT)), **ending)
    wire_format = find_format(path)
    assert wire_format is not None
    return body(wire_format.render(call, reply, "1", unknown_fields=unknown_fields), reply)


def events(stream: bytes) -> list[Any]:
    payloads = [event.partition(b":")[2].strip() for event in stream.split(b"\n\n") if event]
    return [json.loads(payload) for payload in payloads if payload != b"[DONE]"]


@pytest.mark.parametrize("unknown_fields", [False, True])
def test_a_chat_completion_is_json(unknown_fields: bool) -> None:
    response = json.loads(
        rendered("/v1/chat/completions", stream=False, unknown_fields=unknown_fields)
    )

    assert response["object"] == "chat.completion"
    assert response["model"] == 'm"1'
    assert response["choices"][0]["message"]["content"] == TEXT
    assert response["choices"][0]["finish_reason"] == "stop"
    assert response["usage"]["completion_tokens"] == 4


@pytest.mark.parametrize("unknown_fields", [False, True])
def test_a_chat_stream_has_role_text_finish_reason_and_usage(unknown_fields: bool) -> None:
    stream = rendered("/v1/chat/completions", stream=True, unknown_fields=unknown_fields)
    chunks = events(stream)
    choices = [event["choices"][0] for event in chunks if event.get("choices")]

    assert stream.endswith(b"data: [DONE]\n\n")
    assert choices[0]["delta"] == {"role": "assistant", "content": "", "refusal": None}
    deltas = [choice["delta"] or {} for choice in choices]
    assert "".join(delta.get("content") or "" for delta in deltas) == TEXT
    assert [choice["finish_reason"] for choice in choices[-2:]] == [None, "stop"]
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["total_tokens"] == 4


@pytest.mark.parametrize("unknown_fields", [False, True])
def test_a_completion_has_text_and_finish_reason(unknown_fields: bool) -> None:
    path, ending = "/v1/completions", {"finish_reason": "length"}
    response = json.loads(rendered(path, stream=False, unknown_fields=unknown_fields, **ending))
    chunks = events(rendered(path, stream=True, unknown_fields=unknown_fields, **ending))
    choices = [event["choices"][0] for event in chunks if event.get("choices")]

    assert response["choices"][0]["text"] == TEXT
    assert response["choices"][0]["finish_reason"] == "length"
    assert "".join(choice["text"] for choice in choices) == TEXT
    assert [choice["finish_reason"] for choice in choices[-2:]] == [None, "length"]


@pytest.mark.parametrize("unknown_fields", [False, True])
def test_text_generation_returns_a_list(unknown_fields: bool) -> None:
    response = json.loads(rendered("/", stream=False, unknown_fields=unknown_fields))

    assert [entry["generated_text"] for entry in response] == [TEXT]
    tgi = json.loads(rendered("/generate", stream=False, unknown_fields=unknown_fields))
    assert tgi["generated_text"] == TEXT


@pytest.mark.parametrize(
    ("ending", "reason", "last", "special"),
    [
        ({}, "eos_token", "</s>", True),
        ({"finish_reason": "length"}, "length", " done", False),
        ({"stop_sequence": "\nHuman"}, "stop_sequence", "\nHuman", False),
    ],
)
def test_the_last_tgi_event_has_the_complete_text(
    ending: dict[str, Any],
    reason: str,
    last: str,
    special: bool,
) -> None:
    chunks = events(rendered("/generate_stream", stream=True, **ending))

    text = "".join(event["token"]["text"] for event in chunks if not event["token"]["special"])
    assert text == chunks[-1]["generated_text"] == TEXT + ending.get("stop_sequence", "")
    assert [event["index"] for event in chunks] == list(range(1, len(chunks) + 1))
    assert all(event["generated_text"] is None for event in chunks[:-1])
    assert chunks[-1]["token"]["text"] == last
    assert chunks[-1]["token"]["special"] is special
    assert chunks[-1]["details"]["finish_reason"] == reason
    assert chunks[-1]["details"]["generated_tokens"] == 4


def test_only_known_paths_have_a_format() -> None:
    for path in ("/v1/chat/completions", "/v1/completions", "/", "/generate", "/models/a/b"):
        assert find_format(path)
    for path in ("/models/", "/v1/models", "/v1/chat/completions/", "/live"):
        assert find_format(path) is None
