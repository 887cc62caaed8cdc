"""What a server sends, byte by byte. The conformance suite tests paths, errors and replies."""

import json
from typing import Any

import pytest

from fakemodel.calls import Call, Message
from fakemodel.errors import APIError
from fakemodel.imitations.format import format_of
from fakemodel.imitations.registry import IMITATIONS
from fakemodel.replies.reply import TOKEN, Reply

TEXT = 'Say "hi"\\ \n\U0001f600 done'
TOKENS = tuple(TOKEN.findall(TEXT))
REASONING = ("Let", " me", " think.")


def rendered(name: str, *, stream: bool, include_usage: bool = True, **reply: Any) -> bytes:
    call = Call(
        format="chat",
        model='m"1',
        messages=(Message("user", "x"),),
        stream=stream,
        include_usage=include_usage,
    )
    answer = Reply(**{"tokens": TOKENS, "prompt_tokens": 7, **reply})
    rendering = format_of(IMITATIONS[name]).render(call, answer, "1", unknown_fields=False)
    tokens = [rendering.encode_token(index, token) for index, token in enumerate(answer.tokens)]
    return b"".join((rendering.head, *tokens, rendering.tail, rendering.terminator))


def document(name: str, **reply: Any) -> dict[str, Any]:
    return dict(json.loads(rendered(name, stream=False, **reply)))


def chunks(name: str, **reply: Any) -> list[dict[str, Any]]:
    events = rendered(name, stream=True, **reply).split(b"\n\n")
    data = [event[5:].strip() for event in events if event.startswith(b"data:")]
    return [json.loads(event) for event in data if event != b"[DONE]"]


def choices(name: str, **reply: Any) -> list[dict[str, Any]]:
    return [chunk["choices"][0] for chunk in chunks(name, **reply) if chunk["choices"]]


def text_of(found: list[dict[str, Any]]) -> str:
    contents = [choice.get("delta", {}).get("content") for choice in found]
    return "".join(content for content in contents if isinstance(content, str))


@pytest.mark.parametrize("name", IMITATIONS)
def test_a_reply_has_text_one_finish_reason_and_usage(name: str) -> None:
    found = document(name)
    assert (found["object"], found["model"]) == ("chat.completion", 'm"1')
    assert found["choices"][0]["message"]["content"] == TEXT
    assert found["choices"][0]["finish_reason"] == "stop"
    assert found["usage"]["completion_tokens"] == len(TOKENS)
    assert "usage" not in document(name, has_usage=False)
    for tokens in (TOKENS, TOKENS[:1], ()):
        streamed = choices(name, tokens=tokens, finish_reason="length")
        usage = [chunk["usage"] for chunk in chunks(name, tokens=tokens) if chunk.get("usage")]
        counts = [(each["prompt_tokens"], each["completion_tokens"]) for each in usage]
        assert text_of(streamed) == "".join(tokens)
        reasons = [each["finish_reason"] for each in streamed if each.get("finish_reason")]
        assert reasons == ["length"]
        assert counts == [(7, len(tokens))]
    assert b'"completion_tokens"' not in rendered(name, stream=True, has_usage=False)


def test_streams_have_the_peculiarities_of_their_servers() -> None:
    for name in ("mistral", "transformers"):  # send usage without being asked
        last = chunks(name, include_usage=False)[-1]
        assert (last["choices"][0]["finish_reason"], last["usage"]["total_tokens"]) == ("stop", 11)
    for name in ("vllm", "gemini"):  # send the finish reason with the last text
        choice = choices(name)[-1]
        assert (choice["delta"]["content"], choice["finish_reason"]) == (TOKENS[-1], "stop")
    for name in ("tgi", "transformers"):  # include the stop sequence
        assert text_of(choices(name, stop_sequence="\nEND")) == f"{TEXT}\nEND"
        message = document(name, stop_sequence="\nEND")["choices"][0]["message"]
        assert message["content"] == f"{TEXT}\nEND"
    first, *_, filtered, _ = chunks("azure")
    assert (first["choices"], "delta" in filtered["choices"][0]) == ([], False)
    assert first["prompt_filter_results"]
    assert rendered("openrouter", stream=True).startswith(b": OPENROUTER PROCESSING\n\n")
    without_done = {name for name in IMITATIONS if b"[DONE]" not in rendered(name, stream=True)}
    assert without_done == {"transformers"}


def test_reasoning_is_sent_as_each_server_sends_it() -> None:
    for name in ("vllm", "vllm-earlier", "groq", "llamacpp"):  # in a field
        field = "reasoning" if name in {"vllm", "groq"} else "reasoning_content"
        found = choices(name, reasoning=REASONING)
        message = document(name, reasoning=REASONING)["choices"][0]["message"]
        assert "".join(each["delta"].get(field) or "" for each in found) == "Let me think."
        assert text_of(found) == TEXT
        assert (message[field], message["content"]) == ("Let me think.", TEXT)
    for name in ("openai", "azure", "anthropic", "tgi"):  # not at all, but counted
        assert b"think." not in rendered(name, stream=True, reasoning=REASONING)
        assert chunks(name, reasoning=REASONING)[-1]["usage"]["completion_tokens"] == 7
    parts = [{"type": "text", "text": "Let me think."}]  # in a list
    assert document("mistral", reasoning=REASONING)["choices"][0]["message"]["content"] == [
        {"type": "thinking", "thinking": parts}, {"type": "text", "text": TEXT},
    ]  # fmt: skip
    delta = choices("mistral", reasoning=REASONING)[1]["delta"]
    assert delta["content"][0]["thinking"][0]["text"] == "Let"
    found = choices("gemini", reasoning=REASONING)  # in the text
    assert text_of(found) == f"<thought>Let me think.</thought>{TEXT}"
    marks = ["extra_content" in each["delta"] for each in found]
    assert marks == [True] * 3 + [False] * 5


@pytest.mark.parametrize(
    ("name", "fields", "status"),
    [
        ("openai", {"stop": list("12345")}, 400),
        ("tgi", {"stop": list("12345")}, 422),
        ("mistral", {"seed": 1}, 422),
    ],
)
def test_some_reject_fields_that_others_accept(
    name: str, fields: dict[str, Any], status: int
) -> None:
    message = {"role": "user", "content": "Hello"}
    body = {"model": "m", "messages": [message], "stop": list("1234")}

    with pytest.raises(APIError) as caught:
        format_of(IMITATIONS[name]).parse(json.dumps(body | fields).encode(), "/")

    response = format_of(IMITATIONS[name]).encode_error(caught.value)
    assert response.status == status
    assert all(field.encode() in response.body for field in fields)
    for accepted, extra in ((name, {}), ("vllm", fields)):
        format_of(IMITATIONS[accepted]).parse(json.dumps(body | extra).encode(), "/")
