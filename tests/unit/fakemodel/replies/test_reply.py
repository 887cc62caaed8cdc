"""Tokens, stops and bounds."""

from fakemodel.calls import Call, Message
from fakemodel.replies.reply import TOKEN, Reply, trim


def reply_to(
    text: str, *, max_tokens: int | None = None, stop: tuple[str, ...] = (), tokens: int = 0
) -> Reply:
    call = Call(
        format="chat",
        model="dev",
        messages=(Message("user", "x" * 40),),
        max_tokens=max_tokens,
        stop=stop,
    )
    return trim(text, call, tokens=tokens)


def test_tokens_joined_are_the_text() -> None:
    for text in (
        "",
        " a  b\n\n- c",
        "x" * 100,
        "\n" * 60 + "end  ",
        "\U0001f469\u200d\U0001f680 ok",
    ):
        assert "".join(TOKEN.findall(text)) == text


def test_a_reply_ends_at_the_first_stop() -> None:
    reply = reply_to("One. Two.\nHuman: Three", stop=("Three", "\nHuman"))

    assert (reply.text, reply.finish, reply.stopped_by) == ("One. Two.", "stop", "\nHuman")


def test_a_reply_ends_at_its_bound() -> None:
    reply = reply_to("one two three four", max_tokens=2)

    assert (reply.text, reply.finish) == ("one two", "length")
    assert reply_to("one two", max_tokens=2).finish == "stop"


def test_a_reply_can_be_made_to_a_length() -> None:
    for tokens in (1, 3, 200):
        assert len(reply_to("one two three four", tokens=tokens).tokens) == tokens


def test_the_prompt_is_estimated_at_four_characters_a_token() -> None:
    assert reply_to("ok").prompt_tokens == 14
