"""`/v1/responses`, called by the Python SDK."""

import json
import time
from collections.abc import Callable
from typing import Any

import openai
import pytest
from openai import OpenAI
from pydantic import BaseModel

from fakemodel.replies.compose import REASONING
from tests.harness.wait import wait_until

# The model repeats what it has received.
HISTORY = "[[history]]"
SLOW = "long [[rate=20 tokens=200]]"
RESPONSE_FIELDS = {
    "background",
    "completed_at",
    "conversation",
    "created_at",
    "error",
    "frequency_penalty",
    "id",
    "incomplete_details",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "model",
    "object",
    "output",
    "parallel_tool_calls",
    "presence_penalty",
    "previous_response_id",
    "prompt_cache_key",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "status",
    "store",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "usage",
    "user",
}


def received(text: str) -> list[dict[str, Any]]:
    """Return the messages that the model has received."""
    messages: list[dict[str, Any]] = json.loads(text.rsplit("\n", 1)[-1])
    return messages


def test_basic_response_has_all_fields(client: OpenAI) -> None:
    response = client.responses.create(
        input="Say hello.", metadata={"a": "b"}, temperature=0, max_output_tokens=1000
    )
    assert response.output_text.startswith("You wrote:")
    assert (response.status, response.metadata, response.temperature) == (
        "completed",
        {"a": "b"},
        0,
    )
    assert response.usage is not None
    assert response.usage.output_tokens > 0
    assert response.to_dict().keys() == RESPONSE_FIELDS
    again = client.responses.retrieve(response.id)
    assert again.to_dict() == response.to_dict()


def test_key_that_only_acts_for_users_sends_long_input(
    base_url: str, new_key: Callable[..., str]
) -> None:
    """Its length is decided before the body, which names the user, is read."""
    client = OpenAI(base_url=base_url, api_key=new_key("", ("users",)), max_retries=0)
    assert client.responses.create(input="x" * 20_000, user="ann@example.org").output_text


@pytest.mark.security("S60")
def test_malformed_user_does_not_become_the_tenant(
    base_url: str, new_key: Callable[..., str]
) -> None:
    key = new_key("", ("users", "sessions"))
    client = OpenAI(base_url=base_url, api_key=key, max_retries=0)
    with pytest.raises(openai.AuthenticationError):
        client.responses.create(input="hello", user="ann example")


def test_streamed_response_is_the_retrieved_one(client: OpenAI) -> None:
    events = list(client.responses.create(input="Say hello.", stream=True))
    kinds = [event.type for event in events]
    assert kinds[:5] == [
        "response.created",
        "response.queued",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
    ]
    assert kinds[-4:] == [
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    numbers = [event.sequence_number for event in events]
    assert numbers == sorted(set(numbers))
    last = events[-1]
    assert last.type == "response.completed"
    text = "".join(each.delta for each in events if each.type == "response.output_text.delta")
    assert text == last.response.output_text
    assert client.responses.retrieve(last.response.id).to_dict() == last.response.to_dict()


def test_stream_helper_returns_the_final_response(client: OpenAI) -> None:
    with client.responses.stream(input="Say hello.", model="default") as stream:
        deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
        final = stream.get_final_response()
    assert "".join(deltas) == final.output_text


def test_streams_resume_anywhere(client: OpenAI) -> None:
    """Each chunk has the same number in every stream of a response."""
    created = client.responses.create(input="Say hello.", background=True)
    assert created.status == "queued"
    whole = list(client.responses.retrieve(created.id, stream=True))
    assert whole[-1].type == "response.completed"
    for number in (0, 16, whole[len(whole) // 2].sequence_number):
        rest = list(client.responses.retrieve(created.id, stream=True, starting_after=number))
        assert rest == [event for event in whole if event.sequence_number > number]
    with client.responses.stream(
        response_id=created.id, starting_after=whole[8].sequence_number
    ) as stream:
        assert stream.get_final_response().output_text


def test_parsed_response_has_its_format(client: OpenAI) -> None:
    class Greeting(BaseModel):
        word: str

    with pytest.raises(ValueError, match="Invalid JSON"):  # the fake model replies with text
        client.responses.parse(model="default", input="Say hello.", text_format=Greeting)
    response = client.responses.create(
        input="Say hello.",
        text={"format": {"type": "json_schema", "name": "x", "schema": {"type": "object"}}},
    )
    assert response.text is not None
    assert response.text.format is not None
    assert response.text.format.type == "json_schema"


def test_conversation_goes_on_after_the_last_response(client: OpenAI) -> None:
    first = client.responses.create(input="My name is Ann.", instructions="Be brief.")
    second = client.responses.create(input="What is my name?", previous_response_id=first.id)
    assert "Ann" in second.output_text
    assert first.id.rsplit("_", 1)[0] == second.id.rsplit("_", 1)[0]
    third = client.responses.create(
        input=HISTORY, previous_response_id=second.id, instructions="Be kind."
    )
    roles = [(each["role"], each["content"]) for each in received(third.output_text)]
    assert roles[0] == ("system", "Be kind.")
    assert [role for role, _ in roles[1:]] == ["user", "assistant", "user", "assistant", "user"]


def test_earlier_response_is_continued_in_a_copy(client: OpenAI) -> None:
    first = client.responses.create(input="My name is Ann.")
    client.responses.create(input="My name is Bob.", previous_response_id=first.id)
    fork = client.responses.create(input=HISTORY, previous_response_id=first.id)
    assert "Ann" in fork.output_text
    assert "Bob" not in fork.output_text
    assert fork.id.rsplit("_", 1)[0] != first.id.rsplit("_", 1)[0]
    assert [item.id for item in client.responses.input_items.list(fork.id)] == [
        fork.id.replace("resp", "msg").removesuffix("_4") + "_3"
    ]


def test_new_response_takes_its_history_from_the_input(client: OpenAI) -> None:
    items: Any = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "input_text", "text": "My name is Ann."}]},
        {
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Hi.", "annotations": []}],
        },
        {"role": "user", "content": "One more thing."},
        {"type": "message", "role": "user", "content": HISTORY},
    ]
    response = client.responses.create(input=items)
    assert [(each["role"], each["content"]) for each in received(response.output_text)] == [
        ("system", "Be brief."),
        ("user", "My name is Ann."),
        ("assistant", "Hi."),
        ("user", "One more thing."),
        ("user", HISTORY),
    ]
    listed: Any = client.responses.input_items.list(response.id, order="asc", limit=2)
    texts = [item.content[0].text for item in listed]
    assert texts == ["My name is Ann.", "Hi.", "One more thing.", HISTORY]


def input_texts(client: OpenAI, response_id: str, **query: Any) -> list[str]:
    items: Any = client.responses.input_items.list(response_id, order="asc", **query)
    return [item.content[0].text for item in items]


@pytest.mark.parametrize("kind", ["new", "appended", "copied", "conversation"])
def test_items_of_the_input_stay_separate(client: OpenAI, kind: str) -> None:
    """The model receives, and the list has, what was sent."""
    texts = ["I am Ann.", "Hi Ann.", "I like tea.", "And cake.", HISTORY]
    roles: Any = ["user", "assistant", "user", "user", "user"]
    given: Any = [{"role": role, "content": text} for role, text in zip(roles, texts, strict=True)]
    target: dict[str, str] = {}
    if kind == "conversation":
        target["conversation"] = client.conversations.create().id
    elif kind != "new":
        target["previous_response_id"] = client.responses.create(input="First.").id
    if kind == "copied":
        client.responses.create(
            input="Second.", previous_response_id=target["previous_response_id"]
        )
    response = client.responses.create(input=given, extra_body=target)
    found = [(each["role"], each["content"]) for each in received(response.output_text)]
    assert found[-5:] == list(zip(roles, texts, strict=True))
    assert len(found) == (7 if "previous_response_id" in target else 5)
    for limit in (2, 100):
        assert input_texts(client, response.id, limit=limit) == texts
    following = client.responses.create(input=HISTORY, previous_response_id=response.id)
    assert following.id.rsplit("_", 1)[0] == response.id.rsplit("_", 1)[0]
    assert input_texts(client, following.id) == [HISTORY]
    assert [each["content"] for each in received(following.output_text)][:-2] == [
        text for _, text in found
    ]


def test_all_messages_that_fit_reach_the_model(client: OpenAI) -> None:
    texts = [f"number {i}" for i in range(300)]
    given: Any = [{"role": "user", "content": text} for text in [*texts, HISTORY]]
    first = client.responses.create(input=given, truncation="disabled")
    assert [each["content"] for each in received(first.output_text)] == [*texts, HISTORY]
    for _ in ("appended", "copied"):
        next_one = client.responses.create(
            input=HISTORY, previous_response_id=first.id, max_output_tokens=4000
        )
        found = [each["content"] for each in received(next_one.output_text)]
        assert (found[:300], len(found)) == (texts, 303)


def test_input_that_does_not_fit_is_cut_or_fails(client: OpenAI) -> None:
    """The model takes 32,768 tokens."""
    given: Any = [{"role": "user", "content": f"{i} " + "x" * 8000} for i in range(20)]
    first = client.responses.create(input=given)
    assert first.status == "completed"
    conversation = first.id.replace("resp", "conv").rsplit("_", 1)[0]
    for target in (
        {"input": [*given, {"role": "user", "content": "Hello"}]},
        {"input": "Hello", "previous_response_id": first.id},
        {"input": "Hello", "conversation": conversation},
    ):
        failed = client.responses.create(**target, truncation="disabled")
        assert failed.status == "failed"
        assert failed.error is not None
        assert failed.error.to_dict()["code"] == "invalid_prompt"
        assert client.responses.create(**target).status == "completed"


def test_input_items_are_listed_to_the_end(client: OpenAI) -> None:
    texts = [f"number {i}" for i in range(150)]
    given: Any = [{"role": "user", "content": text} for text in texts]
    response = client.responses.create(input=[*given, {"role": "user", "content": "Hello"}])
    assert input_texts(client, response.id, limit=100) == [*texts, "Hello"]
    newest: Any = list(client.responses.input_items.list(response.id, limit=70))
    assert [item.content[0].text for item in newest] == ["Hello", *texts[::-1]]
    first = client.responses.input_items.list(response.id, after=newest[-2].id)
    assert ([item.id for item in first.data], first.has_more) == ([newest[-1].id], False)
    for after in ("msg_" + "0" * 24 + "_1", f"{newest[0].id}0", "x"):
        with pytest.raises(openai.NotFoundError):
            client.responses.input_items.list(response.id, after=after)


def test_cancelled_response_keeps_its_text(client: OpenAI) -> None:
    created = client.responses.create(input=SLOW, background=True)
    stream = client.responses.retrieve(created.id, stream=True)
    events = []
    for event in stream:
        events.append(event)
        if event.type == "response.output_text.delta" and len(events) < 8:
            cancelled = client.responses.cancel(created.id)
    assert cancelled.status == "cancelled"
    last = events[-1]
    assert last.type == "response.incomplete"
    assert last.response.status == "cancelled"
    assert client.responses.cancel(created.id).output_text == last.response.output_text != ""


def test_reply_that_reaches_its_length_is_incomplete(client: OpenAI) -> None:
    response = client.responses.create(input="long", max_output_tokens=5)
    assert response.status == "incomplete"
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == "max_output_tokens"


def test_failed_response_names_its_error(client: OpenAI) -> None:
    response = client.responses.create(input="Hello [[fault:400]]")
    assert response.status == "failed"
    assert response.error is not None
    assert response.error.code == "server_error"
    assert response.error.to_dict()["parley_code"] == "model_bad_request"
    assert response.output == []


def test_deleted_response_is_gone(client: OpenAI) -> None:
    only = client.responses.create(input="Say hello.")
    client.responses.delete(only.id)
    first = client.responses.create(input="My secret is 1234.")
    second = client.responses.create(input="Say hello.", previous_response_id=first.id)
    client.responses.delete(first.id)
    for each in (only, first):
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(each.id)
    third = client.responses.create(input=HISTORY, previous_response_id=second.id)
    assert "1234" not in third.output_text
    with pytest.raises(openai.NotFoundError):  # as OpenAI's API
        client.responses.delete(first.id)


def test_deleting_a_response_erases_all_its_input(client: OpenAI) -> None:
    given: Any = [{"role": "user", "content": f"My secret is {i}234."} for i in range(2)]
    first = client.responses.create(input="Hello")
    for target in ({}, {"previous_response_id": first.id}):
        response = client.responses.create(input=given, extra_body=target)
        last = client.responses.create(input="Hello", previous_response_id=response.id)
        client.responses.delete(response.id)
        following = client.responses.create(input=HISTORY, previous_response_id=last.id)
        assert "234" not in following.output_text


def test_unstored_response_is_deleted_five_minutes_later(client: OpenAI, base_url: str) -> None:
    response = client.responses.create(input="Say hello.", store=False)
    assert response.store is False
    session = client.get(
        f"{base_url.removesuffix('/v1')}/sessions/ses_{response.id.split('_')[1]}", cast_to=object
    )
    assert isinstance(session, dict)
    assert 290 < session["expires_at"] - session["last_active_at"] <= 300
    with pytest.raises(openai.BadRequestError, match="requires `store`"):
        client.responses.create(input="Say hello.", store=False, background=True)


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"tools": [{"type": "web_search"}]}, "unsupported_parameter", "tools"),
        ({"tools": [{"type": "function", "name": "f"}]}, "unsupported_parameter", "tools"),
        (
            {"input": [{"type": "function_call_output", "call_id": "x", "output": ""}]},
            "unsupported_content",
            "input[0].type",
        ),
        ({"prompt": {"id": "pmpt_1"}}, "unsupported_parameter", "prompt"),
        ({"temperature": 3}, "invalid_request", "temperature"),
        ({"model": "gpt-7"}, "unknown_model", "model"),
        (
            {"input": [{"type": "item_reference", "id": "x"}]},
            "unsupported_content",
            "input[0].type",
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_audio"}]}]},
            "unsupported_content",
            "input[0].content[0].type",
        ),
        ({"input": " "}, "invalid_request", "input"),
        ({"input": [{"role": "assistant", "content": "x"}]}, "invalid_request", "input"),
        ({"metadata": {"a": 1}}, "invalid_request", "metadata"),
    ],
)
def test_invalid_requests_name_the_parameter(
    client: OpenAI, fields: dict[str, Any], code: str, param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as raised:
        client.responses.create(**{"input": "Hello", **fields})
    error = raised.value
    assert (error.code, error.param, error.type) == (code, param, "invalid_request_error")
    assert error.request_id


def test_other_keys_cannot_see_a_response(client: OpenAI, new_key: Callable[..., str]) -> None:
    response = client.responses.create(input="Say hello.")
    other = client.with_options(api_key=new_key())
    for call in (
        other.responses.retrieve,
        other.responses.cancel,
        other.responses.delete,
        other.responses.input_items.list,
    ):
        with pytest.raises(openai.NotFoundError):
            call(response.id)
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="sk-unknown").models.list()


def test_token_of_a_session_gives_access_to_it(client: OpenAI, base_url: str) -> None:
    opened: Any = client.post(f"{base_url.removesuffix('/v1')}/sessions", cast_to=object, body={})
    own = client.with_options(api_key=opened["token"])
    first = own.responses.create(input="My name is Ann.")
    second = own.responses.create(input="What is my name?", previous_response_id=first.id)
    assert "Ann" in second.output_text
    with pytest.raises(openai.PermissionDeniedError):
        own.conversations.create()


def test_disconnecting_does_not_cancel_a_response(client: OpenAI) -> None:
    stream = client.responses.create(input="long [[rate=100 tokens=60]]", stream=True)
    first = next(iter(stream))
    stream.close()
    assert first.type == "response.created"
    response = wait_until(lambda: _if_ended(client, first.response.id))
    assert response.status == "completed"


def _if_ended(client: OpenAI, response_id: str) -> Any:
    response = client.responses.retrieve(response_id)
    return response if response.status not in {"queued", "in_progress"} else None


def test_first_event_comes_at_once(client: OpenAI) -> None:
    started = time.monotonic()
    stream = client.responses.create(input="Hello [[latency=3]]", stream=True)
    assert next(iter(stream)).type == "response.created"
    assert time.monotonic() - started < 3
    stream.close()


def test_reasoning_is_an_item_of_its_own(client: OpenAI) -> None:
    with client.responses.stream(input="Hello [[reasoning]]", model="default") as stream:
        events = list(stream)
        final = stream.get_final_response()
    kinds = [event.type for event in events]
    first = kinds.index("response.output_item.added")
    assert kinds[first : first + 3] == [
        "response.output_item.added",
        "response.content_part.added",
        "response.reasoning_text.delta",
    ]
    deltas = [each.delta for each in events if each.type == "response.reasoning_text.delta"]
    output: Any = final.to_dict()["output"]
    reasoning, message = output
    assert (reasoning["type"], message["type"]) == ("reasoning", "message")
    assert reasoning["content"] == [{"type": "reasoning_text", "text": REASONING}]
    assert "".join(deltas) == REASONING
    assert REASONING not in final.output_text
    assert final.usage is not None
    assert final.usage.output_tokens_details.reasoning_tokens > 0
    numbers = [event.sequence_number for event in events]
    assert numbers == sorted(set(numbers))
    again: Any = client.responses.retrieve(final.id).to_dict()["output"]
    assert again[0] == reasoning
    assert again[1]["content"][0]["text"] == final.output_text
    plain = client.responses.create(input="Hello [[reasoning]]")
    assert [item.type for item in plain.output] == ["reasoning", "message"]
    following = client.responses.create(input=HISTORY, previous_response_id=final.id)
    assert REASONING not in following.output_text
