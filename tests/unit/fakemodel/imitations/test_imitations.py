import json
from typing import Any

import pytest

from fakemodel.calls import Call, Message
from fakemodel.formats.base import Rendering
from fakemodel.imitations.format import format_of
from fakemodel.imitations.registry import IMITATIONS, format_finder
from fakemodel.replies.reply import TOKEN, Reply

TEXT = 'Say "hi"\\ \n\U0001f600 done'
TOKENS = tuple(TOKEN.findall(TEXT))

each_imitation = pytest.mark.parametrize("name", IMITATIONS)


def body(rendering: Rendering, reply: Reply) -> bytes:
    tokens = [rendering.encode_token(index, token) for index, token in enumerate(reply.tokens)]
    return b"".join((rendering.head, *tokens, rendering.tail, rendering.terminator))


def rendered(name: str, *, stream: bool, include_usage: bool = True, **reply: Any) -> bytes:
    call = Call(
        format="chat",
        model='m"1',
        messages=(Message("user", "x"),),
        stream=stream,
        include_usage=include_usage,
    )
    answer = Reply(**{"tokens": TOKENS, "prompt_tokens": 7, **reply})
    wire_format = format_of(IMITATIONS[name])
    return body(wire_format.render(call, answer, "1", unknown_fields=False), answer)


def chunks(stream: bytes) -> list[dict[str, Any]]:
    data = [event[5:].strip() for event in stream.split(b"\n\n") if event.startswith(b"data:")]
    return [json.loads(event) for event in data if event != b"[DONE]"]


def choices(name: str, **reply: Any) -> list[dict[str, Any]]:
    found = [chunk["choices"] for chunk in chunks(rendered(name, stream=True, **reply))]
    return [choice[0] for choice in found if choice]


def text_of(found: list[dict[str, Any]]) -> str:
    contents = [choice.get("delta", {}).get("content") for choice in found]
    return "".join(content for content in contents if isinstance(content, str))


@each_imitation
def test_a_document_has_text_finish_reason_and_usage(name: str) -> None:
    document = json.loads(rendered(name, stream=False))

    assert document["object"] == "chat.completion"
    assert document["model"] == 'm"1'
    assert document["choices"][0]["message"]["content"] == TEXT
    assert document["choices"][0]["finish_reason"] == "stop"
    assert document["usage"]["completion_tokens"] == len(TOKENS)


@each_imitation
@pytest.mark.parametrize("tokens", [TOKENS, TOKENS[:1], ()])
def test_a_stream_has_the_text_and_one_finish_reason(name: str, tokens: tuple[str, ...]) -> None:
    found = choices(name, tokens=tokens, finish_reason="length")

    assert text_of(found) == "".join(tokens)
    assert [choice["finish_reason"] for choice in found if choice.get("finish_reason")] == [
        "length"
    ]


@each_imitation
def test_a_stream_has_the_usage_once(name: str) -> None:
    usage = [chunk["usage"] for chunk in chunks(rendered(name, stream=True)) if chunk.get("usage")]

    assert [(each["prompt_tokens"], each["completion_tokens"]) for each in usage] == [(7, 4)]


@each_imitation
def test_a_reply_without_usage_has_none(name: str) -> None:
    assert not any(
        chunk.get("usage") or ("x_groq" in chunk and "usage" in chunk["x_groq"])
        for chunk in chunks(rendered(name, stream=True, has_usage=False))
    )
    assert "usage" not in json.loads(rendered(name, stream=False, has_usage=False))


@pytest.mark.parametrize("name", ["mistral", "transformers"])
def test_some_send_usage_without_being_asked(name: str) -> None:
    last = chunks(rendered(name, stream=True, include_usage=False))[-1]

    assert last["choices"][0]["finish_reason"] == "stop"
    assert last["usage"]["total_tokens"] == 11


@pytest.mark.parametrize("name", ["vllm", "gemini"])
def test_some_send_the_finish_reason_with_the_last_text(name: str) -> None:
    last = choices(name)[-1]

    assert (last["delta"]["content"], last["finish_reason"]) == (TOKENS[-1], "stop")


@pytest.mark.parametrize("name", ["tgi", "transformers"])
def test_some_include_the_stop_sequence(name: str) -> None:
    assert text_of(choices(name, stop_sequence="\nEND")) == f"{TEXT}\nEND"
    document = json.loads(rendered(name, stream=False, stop_sequence="\nEND"))
    assert document["choices"][0]["message"]["content"] == f"{TEXT}\nEND"


def test_azure_frames_the_reply_with_filter_results() -> None:
    found = chunks(rendered("azure", stream=True))

    assert found[0]["choices"] == []
    assert found[0]["prompt_filter_results"]
    assert "delta" not in found[-2]["choices"][0]


def test_openrouter_begins_with_comments() -> None:
    assert rendered("openrouter", stream=True).startswith(b": OPENROUTER PROCESSING\n\n")


def test_transformers_ends_without_done() -> None:
    streams = {name: rendered(name, stream=True) for name in IMITATIONS}

    assert {name for name, stream in streams.items() if b"[DONE]" not in stream} == {"transformers"}


REASONING = ("Let", " me", " think.")
FIELDS = {
    "vllm": "reasoning",
    "groq": "reasoning",
    "openrouter": "reasoning",
    "ollama": "reasoning",
    "vllm-earlier": "reasoning_content",
    "sglang": "reasoning_content",
    "llamacpp": "reasoning_content",
    "lmstudio": "reasoning_content",
    "transformers": "reasoning_content",
    "litellm": "reasoning_content",
}


@pytest.mark.parametrize("name", FIELDS)
def test_reasoning_has_a_field_of_its_own(name: str) -> None:
    found = choices(name, reasoning=REASONING)
    message = json.loads(rendered(name, stream=False, reasoning=REASONING))["choices"][0]["message"]

    assert "".join(choice["delta"].get(FIELDS[name]) or "" for choice in found) == "Let me think."
    assert text_of(found) == TEXT
    assert (message[FIELDS[name]], message["content"]) == ("Let me think.", TEXT)


@pytest.mark.parametrize("name", ["openai", "azure", "anthropic", "tgi"])
def test_some_do_not_send_reasoning(name: str) -> None:
    stream = rendered(name, stream=True, reasoning=REASONING)

    assert b"think." not in stream
    assert chunks(stream)[-1]["usage"]["completion_tokens"] == 7


def test_mistral_sends_reasoning_in_parts() -> None:
    found = choices("mistral", reasoning=REASONING)
    document = json.loads(rendered("mistral", stream=False, reasoning=REASONING))
    thinking, text = document["choices"][0]["message"]["content"]

    assert found[1]["delta"]["content"][0]["thinking"][0]["text"] == "Let"
    assert thinking == {
        "type": "thinking",
        "thinking": [{"type": "text", "text": "Let me think."}],
    }
    assert text == {"type": "text", "text": TEXT}


def test_gemini_marks_reasoning_in_the_text() -> None:
    found = choices("gemini", reasoning=REASONING)

    assert text_of(found) == f"<thought>Let me think.</thought>{TEXT}"
    marks = ["extra_content" in choice["delta"] for choice in found]
    assert marks == [True] * 3 + [False] * 5


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("openai", "/v1/chat/completions"),
        ("azure", "/openai/deployments/gpt-4o/chat/completions"),
        ("azure", "/openai/v1/chat/completions"),
        ("gemini", "/v1beta/openai/chat/completions"),
        ("openrouter", "/api/v1/chat/completions"),
        ("groq", "/openai/v1/chat/completions"),
        ("litellm", "/chat/completions"),
        ("tgi", "/generate_stream"),
    ],
)
def test_each_has_the_paths_of_its_server(name: str, path: str) -> None:
    find = format_finder(name)

    assert find(path)
    assert find(f"{path}/") is None
    assert find("/models/gpt2") is None
