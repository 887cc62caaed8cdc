"""The formats' bytes, whole and streamed, joined from their pieces."""

import json
from typing import Any

import pytest

from fakemodel.calls import Call, Message
from fakemodel.formats.registry import find_format
from fakemodel.formats.sse import Rendering
from fakemodel.replies.reply import TOKEN, Reply

TEXT = 'Say "hi"\\ \n\U0001f600 done'


def body(rendering: Rendering, reply: Reply) -> bytes:
    pieces = [rendering.piece(index, token) for index, token in enumerate(reply.tokens)]
    return b"".join((rendering.head, *pieces, rendering.tail, rendering.end))


def rendered(path: str, *, stream: bool, odd: bool = False, **ending: Any) -> bytes:
    call = Call(
        format="",
        model='m"1',
        messages=(Message("user", "x"),),
        prompt="x",
        stream=stream,
        listed=path == "/",
        include_usage=True,
    )
    reply = Reply(tokens=tuple(TOKEN.findall(TEXT)), **ending)
    speaks = find_format(path)
    assert speaks is not None
    return body(speaks.render(call, reply, "1", odd=odd), reply)


def events(stream: bytes) -> list[Any]:
    payloads = [event.partition(b":")[2].strip() for event in stream.split(b"\n\n") if event]
    return [json.loads(payload) for payload in payloads if payload != b"[DONE]"]


@pytest.mark.parametrize("odd", [False, True])
def test_a_whole_chat_completion_is_json(odd: bool) -> None:
    answer = json.loads(rendered("/v1/chat/completions", stream=False, odd=odd))

    assert answer["object"] == "chat.completion"
    assert answer["model"] == 'm"1'
    assert answer["choices"][0]["message"]["content"] == TEXT
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert answer["usage"]["completion_tokens"] == 4


@pytest.mark.parametrize("odd", [False, True])
def test_a_chat_stream_carries_role_text_finish_and_usage(odd: bool) -> None:
    stream = rendered("/v1/chat/completions", stream=True, odd=odd)
    told = events(stream)
    choices = [event["choices"][0] for event in told if event.get("choices")]

    assert stream.endswith(b"data: [DONE]\n\n")
    assert choices[0]["delta"] == {"role": "assistant", "content": "", "refusal": None}
    deltas = [choice["delta"] or {} for choice in choices]
    assert "".join(delta.get("content") or "" for delta in deltas) == TEXT
    assert [choice["finish_reason"] for choice in choices[-2:]] == [None, "stop"]
    assert told[-1]["choices"] == []
    assert told[-1]["usage"]["total_tokens"] == 4


@pytest.mark.parametrize("odd", [False, True])
def test_a_completion_carries_its_text(odd: bool) -> None:
    whole = json.loads(rendered("/v1/completions", stream=False, odd=odd, finish="length"))
    told = events(rendered("/v1/completions", stream=True, odd=odd, finish="length"))
    choices = [event["choices"][0] for event in told if event.get("choices")]

    assert whole["choices"][0]["text"] == TEXT
    assert whole["choices"][0]["finish_reason"] == "length"
    assert "".join(choice["text"] for choice in choices) == TEXT
    assert [choice["finish_reason"] for choice in choices[-2:]] == [None, "length"]


@pytest.mark.parametrize("odd", [False, True])
def test_text_generation_answers_a_list_of_one(odd: bool) -> None:
    answer = json.loads(rendered("/", stream=False, odd=odd))

    assert [entry["generated_text"] for entry in answer] == [TEXT]
    assert json.loads(rendered("/generate", stream=False, odd=odd))["generated_text"] == TEXT


@pytest.mark.parametrize(
    ("ending", "reason", "last", "special"),
    [
        ({}, "eos_token", "</s>", True),
        ({"finish": "length"}, "length", " done", False),
        ({"stopped_by": "\nHuman"}, "stop_sequence", "\nHuman", False),
    ],
)
def test_the_last_token_of_a_tgi_stream_carries_the_whole(
    ending: dict[str, Any],
    reason: str,
    last: str,
    special: bool,
) -> None:
    told = events(rendered("/generate_stream", stream=True, **ending))

    said = "".join(event["token"]["text"] for event in told if not event["token"]["special"])
    assert said == told[-1]["generated_text"] == TEXT + ending.get("stopped_by", "")
    assert [event["index"] for event in told] == list(range(1, len(told) + 1))
    assert all(event["generated_text"] is None for event in told[:-1])
    assert told[-1]["token"]["text"] == last
    assert told[-1]["token"]["special"] is special
    assert told[-1]["details"]["finish_reason"] == reason
    assert told[-1]["details"]["generated_tokens"] == 4


def test_only_known_paths_speak_a_format() -> None:
    for path in ("/v1/chat/completions", "/v1/completions", "/", "/generate", "/models/a/b"):
        assert find_format(path)
    for path in ("/models/", "/v1/models", "/v1/chat/completions/", "/live"):
        assert find_format(path) is None
