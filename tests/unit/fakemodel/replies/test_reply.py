from fakemodel.calls import Call, Message
from fakemodel.replies.reply import TOKEN, Reply, build_reply


def reply_to(
    text: str, *, max_tokens: int | None = None, stop: tuple[str, ...] = (), tokens: int = 0
) -> Reply:
    call = Call(
        format="chat",
        model="fake",
        messages=(Message("user", "x" * 40),),
        max_tokens=max_tokens,
        stop_sequences=stop,
    )
    return build_reply(text, call, tokens=tokens)


def test_joined_tokens_are_the_text() -> None:
    for text in (
        "",
        " a  b\n\n- c",
        "x" * 100,
        "\n" * 60 + "end  ",
        "\U0001f469\u200d\U0001f680 ok",
    ):
        assert "".join(TOKEN.findall(text)) == text


def test_a_reply_ends_at_the_first_stop_sequence() -> None:
    reply = reply_to("One. Two.\nHuman: Three", stop=("Three", "\nHuman"))

    assert (reply.text, reply.finish_reason) == ("One. Two.", "stop")
    assert reply.stop_sequence == "\nHuman"


def test_a_reply_ends_at_max_tokens() -> None:
    reply = reply_to("one two three four", max_tokens=2)

    assert (reply.text, reply.finish_reason) == ("one two", "length")
    assert reply_to("one two", max_tokens=2).finish_reason == "stop"


def test_a_reply_can_have_a_fixed_length() -> None:
    for tokens in (1, 3, 200):
        assert len(reply_to("one two three four", tokens=tokens).tokens) == tokens


def test_prompt_tokens_are_estimated_at_four_characters() -> None:
    assert reply_to("ok").prompt_tokens == 14
