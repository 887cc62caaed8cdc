from typing import Any

import pytest

from fakemodel.calls import Call, Message
from fakemodel.replies.reply import TOKEN, build_reply

FOUR = "one two three four"


@pytest.mark.parametrize(
    "text",
    ["", " a  b\n\n- c", "x" * 100, "\n" * 60 + "end  ", "\U0001f469\u200d\U0001f680 ok"],
)
def test_joined_tokens_are_the_text(text: str) -> None:
    assert "".join(TOKEN.findall(text)) == text


@pytest.mark.parametrize(
    ("text", "limits", "expected"),
    [
        ("One. Two.\nHuman: Three", {"stop_sequences": ("Three", "\nHuman")},
         ("One. Two.", "stop", "\nHuman")),
        (FOUR, {"max_tokens": 2}, ("one two", "length", "")),
        (FOUR, {"max_tokens": 4}, (FOUR, "stop", "")),
    ],
)  # fmt: skip
def test_a_reply_ends_at_its_limits(
    text: str, limits: dict[str, Any], expected: tuple[str, str, str]
) -> None:
    call = Call(format="chat", model="fake", messages=(Message("user", "x" * 40),), **limits)

    reply = build_reply(text, call, tokens=None)

    assert (reply.text, reply.finish_reason, reply.stop_sequence) == expected
    assert reply.prompt_tokens == 14  # four per message, and one for each four characters
    assert [len(build_reply("x", call, tokens=size).tokens) for size in (1, 2)] == [1, 2]
