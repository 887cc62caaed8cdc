import pytest

from fakemodel.calls import Message
from fakemodel.replies.demo import compose


def ask(*contents: str) -> str:
    """Return the reply to the last of `contents`, which alternate between user and assistant."""
    roles = ("user", "assistant")
    return compose([Message(roles[index % 2], text) for index, text in enumerate(contents)])


def test_a_reply_quotes_the_message_without_directives() -> None:
    assert "\n> Why is the sea salty?\n" in ask("Why is the sea salty? [[rate=10]]")


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What is my name?", "Your name is **Ada**."),
        ("what's my name", "Your name is **Ada**."),
        ("what is my dog [[rate=10]]", "Your dog is **Rex**."),
        ("What is my cat?", "No message mentions your cat."),
        (
            "What did I say before?",
            "1. My name is Ada and my dog is Rex. How are you?\n2. I like tea",
        ),
    ],
)
def test_a_reply_recalls_earlier_messages(question: str, answer: str) -> None:
    introduction = "My name is Ada and my dog is Rex. How are you?"

    assert ask(introduction, "Fine.", "I like\ttea", "OK.", question).endswith(answer)


@pytest.mark.parametrize("question", ["What is my name?", "What did I say before?"])
def test_nothing_is_recalled_from_other_conversations(question: str) -> None:
    ask("My name is Ada", "OK.", question)

    assert "Ada" not in ask(question)


def test_the_latest_fact_counts() -> None:
    assert "**Bob**" in ask("My name is Ada", "OK.", "My name is Bob", "OK.", "What is my name?")


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("Hello! What can you do?", "`What did I say before?`"),
        ("Help", "**fake model**"),
        ("Write Python code for a queue", "```python"),
        ("A table of planets", "|---"),
        ("List the steps", "1. **First**"),
        ("Tell me a long story about rain", "## Section 12"),
    ],
)
def test_samples_are_selected_by_a_word(question: str, text: str) -> None:
    assert text in ask(question)


@pytest.mark.parametrize(
    "message",
    ["", " ", "?", "{quote} {0} %s", "[[not a directive]]", "\U0001f469\u200d\U0001f680",
     "a" * 40_000, "my " * 10_000, "my a is b " * 4_000, "what is my " * 4_000],
)  # fmt: skip
def test_every_message_gets_a_reply(message: str) -> None:
    assert ask(message)
    assert len(ask(message, "OK.", message)) < 2000
