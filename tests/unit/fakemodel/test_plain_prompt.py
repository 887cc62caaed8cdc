from fakemodel.calls import Message
from fakemodel.plain_prompt import parse_prompt


def test_lines_with_a_speaker_start_messages() -> None:
    prompt = "Be kind.\nHuman: Hello\nBot: Hi!\nHow are you?\nHuman: Fine: thanks\nBot:"

    assert parse_prompt(prompt) == (
        Message("system", "Be kind."),
        Message("user", "Hello"),
        Message("assistant", "Hi!\nHow are you?"),
        Message("user", "Fine: thanks"),
    )


def test_the_tutorials_single_line_is_parsed() -> None:
    assert parse_prompt("Human: Hello Bot: Hi Human: Bye Bot:") == (
        Message("user", "Hello"),
        Message("assistant", "Hi"),
        Message("user", "Bye"),
    )


def test_a_speaker_within_a_line_is_text() -> None:
    text = "I wrote Bot: into this\n  Human: and this\nHuman : and this\nSystem: and this"

    assert parse_prompt(f"Human: {text}\nBot:") == (Message("user", text),)


def test_a_prompt_without_speakers_is_one_user_message() -> None:
    assert parse_prompt(" Once upon a time ") == (Message("user", "Once upon a time"),)
    assert parse_prompt("") == (Message("user", ""),)


def test_an_empty_bot_line_is_no_message() -> None:
    assert parse_prompt("Bot:") == ()
