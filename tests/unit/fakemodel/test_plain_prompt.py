"""Flat prompts read back."""

from fakemodel.calls import Message
from fakemodel.plain_prompt import parse_transcript


def test_lines_of_speakers_become_messages() -> None:
    prompt = "Be kind.\nHuman: Hello\nBot: Hi!\nHow are you?\nHuman: Fine: thanks\nBot:"

    assert parse_transcript(prompt) == (
        Message("system", "Be kind."),
        Message("user", "Hello"),
        Message("assistant", "Hi!\nHow are you?"),
        Message("user", "Fine: thanks"),
    )


def test_the_tutorials_single_line_is_understood() -> None:
    assert parse_transcript("Human: Hello Bot: Hi Human: Bye Bot:") == (
        Message("user", "Hello"),
        Message("assistant", "Hi"),
        Message("user", "Bye"),
    )


def test_a_speaker_within_a_line_is_data() -> None:
    said = "I wrote Bot: into this\n  Human: and this\nHuman : and this\nSystem: and this"

    assert parse_transcript(f"Human: {said}\nBot:") == (Message("user", said),)


def test_a_prompt_without_speakers_is_one_user_message() -> None:
    assert parse_transcript(" Once upon a time ") == (Message("user", "Once upon a time"),)
    assert parse_transcript("") == (Message("user", ""),)


def test_nothing_but_an_open_bot_line_leaves_no_message() -> None:
    assert parse_transcript("Bot:") == ()
