"""The context window."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chat.conversation import context_window
from chat.domain import (
    Claim,
    Context,
    HistoryMessage,
    Identity,
    Lease,
    Model,
    Options,
    PromptMessage,
    Role,
    Status,
)
from chat.domain.errors import ContextTooLong
from chat.domain.files import Part, PartType

MODEL = Model(name="m", provider="openai", url="http://127.0.0.1/v1", max_tokens=100)


def user(number: int, content: str) -> HistoryMessage:
    return HistoryMessage(
        id=f"msg_{number}",
        role=Role.USER,
        content=content,
        status=Status.COMPLETED,
        reply_to=None,
    )


def reply(number: int, to: int, content: str, status: Status = Status.COMPLETED) -> HistoryMessage:
    return HistoryMessage(
        id=f"msg_{number}",
        role=Role.ASSISTANT,
        content=content,
        status=status,
        reply_to=f"msg_{to}",
    )


def claim(
    *history: HistoryMessage, system_prompt: str = "", context: Context | None = None
) -> Claim:
    return Claim(
        turn=1,
        lease=Lease(session_id="ses_1", fence=1, nonce="n"),
        reply_id="msg_0",
        attempt=1,
        seconds_left=60,
        model="m",
        system_prompt=system_prompt,
        context=context or Context(),
        options=Options(),
        request_id="",
        traceparent="",
        accepted_at=0,
        claimed_at=0,
        history=history,
        identity=Identity(),
    )


def contents(messages: Sequence[PromptMessage]) -> list[str]:
    return [message.content for message in messages]


def test_first_message_is_the_whole_prompt() -> None:
    prompt = context_window.build_prompt(claim(user(1, "hello")), MODEL)
    assert prompt.messages == [PromptMessage(role=Role.USER, content="hello")]


def test_system_prompt_is_first_and_question_last() -> None:
    history = (user(1, "a"), reply(2, 1, "b"), user(3, "c"))
    prompt = context_window.build_prompt(claim(*history, system_prompt="be brief"), MODEL)
    assert contents(prompt.messages) == ["be brief", "a", "b", "c"]
    assert prompt.messages[0].role is Role.SYSTEM


def test_turn_without_reply_text_is_left_out() -> None:
    history = (
        user(1, "lost"),
        reply(2, 1, "", Status.FAILED),
        user(3, "half"),
        reply(4, 3, "par", Status.CANCELLED),
        user(5, "now"),
    )
    assert contents(context_window.build_prompt(claim(*history), MODEL).messages) == [
        "half",
        "par",
        "now",
    ]


def test_turn_that_was_cancelled_before_its_first_attempt_is_left_out() -> None:
    cancelled = reply(2, 1, "", Status.CANCELLED)._replace(attempt=0)
    history = (user(1, "one"), cancelled, user(3, "two"))
    assert contents(context_window.build_prompt(claim(*history), MODEL).messages) == ["two"]


def test_newer_of_two_replies_is_used() -> None:
    history = (user(1, "q"), reply(2, 1, "old"), reply(4, 1, "new"), user(5, "next"))
    assert contents(context_window.build_prompt(claim(*history), MODEL).messages) == [
        "q",
        "new",
        "next",
    ]


def test_regenerated_turn_omits_the_earlier_reply() -> None:
    history = (user(1, "a"), reply(2, 1, "b"), user(3, "again"))
    assert contents(context_window.build_prompt(claim(*history), MODEL).messages)[-1] == "again"


def test_message_limit_keeps_complete_turns() -> None:
    history = [user(1, "a"), reply(2, 1, "b"), user(3, "c"), reply(4, 3, "d"), user(5, "e")]
    context = Context(messages=4)
    prompt = context_window.build_prompt(claim(*history, context=context), MODEL)
    assert contents(prompt.messages) == ["c", "d", "e"]


def test_token_limit_drops_the_oldest_turns() -> None:
    history = [user(1, "x" * 400), reply(2, 1, "y" * 400), user(3, "c"), reply(4, 3, "d")]
    context = Context(tokens=60)
    prompt = context_window.build_prompt(claim(*history, user(5, "e"), context=context), MODEL)
    assert contents(prompt.messages) == ["c", "d", "e"]


@pytest.mark.security("S50")
@pytest.mark.parametrize("kind", ["system prompt", "message", "both"])
@pytest.mark.parametrize("tokens", [0, 8000])
def test_what_cannot_fit_is_rejected(kind: str, tokens: int) -> None:
    """The case of S50: 32 KiB of system prompt and 32 KiB of message for 8,192 tokens."""
    model = replace(MODEL, context_tokens=32_768 if tokens else 8192)
    size = 16 * 1024 if kind == "both" else 32 * 1024
    system_prompt, message = (
        "s" * size * (kind != "message"),
        "m" * size * (kind != "system prompt"),
    )
    too_long = claim(user(1, message), system_prompt=system_prompt, context=Context(tokens=tokens))
    with pytest.raises(ContextTooLong):
        context_window.build_prompt(too_long, model)
    fitting = claim(user(1, message[:-1000]), system_prompt=system_prompt[:-1000])
    context_window.build_prompt(fitting, model)


@pytest.mark.security("S50")
@given(
    texts=st.lists(st.text(min_size=1, max_size=200), min_size=1, max_size=30),
    tokens=st.integers(min_value=1, max_value=400),
    messages=st.integers(min_value=1, max_value=40),
)
def test_prompt_contains_the_newest_turns_within_the_limits(
    texts: list[str], tokens: int, messages: int
) -> None:
    history: list[HistoryMessage] = []
    for i, text in enumerate(texts):
        history += [user(2 * i + 1, text), reply(2 * i + 2, 2 * i + 1, text + "!")]
    context = Context(messages=messages, tokens=tokens)
    assume(tokens >= context_window.estimate_message(PromptMessage(Role.USER, "now")))
    prompt = context_window.build_prompt(
        claim(*history, user(999, "now"), context=context), MODEL
    ).messages
    earlier = contents(prompt[:-1])
    assert earlier == [message.content for message in history][len(history) - len(earlier) :]
    assert len(earlier) % 2 == 0
    assert len(prompt) <= max(messages, 1)
    assert sum(map(context_window.estimate_message, prompt)) <= tokens


def image(name: str) -> Part:
    return Part(PartType.IMAGE, file_id=f"file_{name}", filename=name, size=5)


def text(content: str) -> Part:
    return Part(PartType.TEXT, content)


def look(number: int, *names: str) -> HistoryMessage:
    return user(number, "look")._replace(parts=(text("look"), *map(image, names)))


def shown(messages: Sequence[PromptMessage]) -> list[str]:
    """Return the names of images in a prompt, and texts that stand for others."""
    parts = [part for message in messages for part in message.parts]
    placeholders = [message.content for message in messages if "[" in message.content]
    return [part.filename for part in parts if part.type is PartType.IMAGE] + placeholders


SEEING = replace(MODEL, inputs=("text", "image"))


def test_untruncated_prompt_has_the_whole_history() -> None:
    history = (user(1, "x" * 400), reply(2, 1, "y" * 400), user(3, "now"))
    model = replace(MODEL, context_tokens=400)
    whole = replace(claim(*history), is_untruncated=True)
    assert len(context_window.build_prompt(whole, model).messages) == 3
    too_long = replace(claim(*history), is_untruncated=True, has_more=True)
    for each, limit in ((whole, 300), (too_long, 400)):
        with pytest.raises(ContextTooLong, match="`truncation` is `disabled`"):
            context_window.build_prompt(each, replace(model, context_tokens=limit))


def test_newest_four_images_are_kept() -> None:
    history = [look(1, "a", "b"), reply(2, 1, "hi"), look(3, "c"), reply(4, 3, "hi")]
    prompt = context_window.build_prompt(claim(*history, look(5, "d", "e")), SEEING)
    assert shown(prompt.messages) == ["b", "c", "d", "e", "look\n[image: a]"]
    (last,) = context_window.build_prompt(claim(look(1, *"abcdef")), SEEING).messages
    assert [part.placeholder for part in last.parts] == [
        *("look", "[image: a]", "[image: b]"),
        *("[image: c]", "[image: d]", "[image: e]", "[image: f]"),
    ]
    assert shown([last])[:4] == ["c", "d", "e", "f"]


def test_model_without_images_gets_texts() -> None:
    (message,) = context_window.build_prompt(claim(look(1, "a")), MODEL).messages
    assert message == PromptMessage(Role.USER, "look\n[image: a]")


def test_images_count_as_thousand_tokens() -> None:
    (message,) = context_window.build_prompt(claim(look(1, "a", "b")), SEEING).messages
    assert context_window.estimate_message(message) == 4 + 1 + 2000


def pdf(name: str, size: int) -> Part:
    return Part(
        PartType.FILE, file_id="file_1", filename=name, media_type="application/pdf", size=size
    )


READING = replace(MODEL, inputs=("text", "file"), context_tokens=1_000_000)


@pytest.mark.security("S63")
def test_newest_files_are_kept_within_a_size() -> None:
    """Each reference to a file counts."""
    half = context_window.MAX_FILE_BYTES // 2
    first = user(1, "")._replace(parts=(pdf("a", 1), pdf("b", half)))
    question = user(3, "")._replace(parts=(text("read"), pdf("c", half)))
    prompt = context_window.build_prompt(claim(first, reply(2, 1, "hi"), question), READING)
    placeholders = [part.placeholder for part in prompt.messages[0].parts]
    assert placeholders == ["[file: a]", "[file: b]"]
    types = [part.type for message in prompt.messages for part in message.parts]
    assert types == [PartType.TEXT, PartType.FILE, PartType.TEXT, PartType.FILE]


@pytest.mark.parametrize(("size", "tokens"), [(10, 1000), (1_000_000, 5000)])
def test_pdf_counts_by_its_size(size: int, tokens: int) -> None:
    assert pdf("a", size).tokens == tokens
