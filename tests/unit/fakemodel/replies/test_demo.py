import pytest

from fakemodel.calls import Message
from fakemodel.replies.demo import compose

INTRODUCTION = "My name is Ada and my dog is Rex. How are you?"
EARLIER = (INTRODUCTION, "Fine.", "My name is Bob", "Hi.", "I like\ttea", "OK.")


def ask(*contents: str) -> str:
    """Return the reply to the last of `contents`, which alternate between user and assistant."""
    roles = ("user", "assistant")
    return compose([Message(roles[index % 2], text) for index, text in enumerate(contents)])


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("What is my name?", "Your name is **Bob**."),
        ("what's my name", "Your name is **Bob**."),
        ("what is my dog [[rate=10]]", "Your dog is **Rex**."),
        ("What is my cat?", "No message mentions your cat."),
        ("What did I say before?", f"1. {INTRODUCTION}\n2. My name is Bob\n3. I like tea"),
        ("Why is the sea salty? [[rate=10]]", "\n> Why is the sea salty?\n"),
        ("Hello! What can you do?", "`What did I say before?`"),
        ("Help", "**fake model**"),
        ("Write Python code for a queue", "```python"),
        ("A table of planets", "|---"),
        ("List the steps", "1. **First**"),
        ("Tell me a long story about rain", "## Section 12"),
    ],
)
def test_a_reply_recalls_only_its_conversation_or_is_a_sample(question: str, text: str) -> None:
    assert text in ask(*EARLIER, question)
    assert "Bob" not in ask(question)


@pytest.mark.parametrize(
    "message",
    ["", " ", "?", "{quote} {0} %s", "[[not a directive]]", "\U0001f469\u200d\U0001f680",
     "a" * 40_000, "my " * 10_000, "my a is b " * 4_000, "what is my " * 4_000],
)  # fmt: skip
def test_every_message_gets_a_reply(message: str) -> None:
    assert ask(message)
    assert len(ask(message, "OK.", message)) < 2000
