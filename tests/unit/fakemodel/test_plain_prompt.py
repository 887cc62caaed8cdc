import pytest

from fakemodel.calls import Message
from fakemodel.plain_prompt import parse_prompt

IN_A_LINE = "I wrote Bot: into this\n  Human: and this\nHuman : and this\nSystem: and this"


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("Be kind.\nHuman: Hello\nBot: Hi!\nHow are you?\nHuman: Fine: thanks\nBot:",
         [("system", "Be kind."), ("user", "Hello"), ("assistant", "Hi!\nHow are you?"),
          ("user", "Fine: thanks")]),
        # The tutorial sends a single line.
        ("Human: Hello Bot: Hi Human: Bye Bot:",
         [("user", "Hello"), ("assistant", "Hi"), ("user", "Bye")]),
        (f"Human: {IN_A_LINE}\nBot:", [("user", IN_A_LINE)]),
        (" Once upon a time ", [("user", "Once upon a time")]),
        ("", [("user", "")]),
        ("Bot:", []),
    ],
)  # fmt: skip
def test_a_prompt_is_parsed_into_messages(prompt: str, expected: list[tuple[str, str]]) -> None:
    assert parse_prompt(prompt) == tuple(Message(*each) for each in expected)
