"""What the dev model says in a demo."""

import pytest

from fakemodel.calls import Message
from fakemodel.replies.demo import compose
from fakemodel.replies.memory import recall


def ask(*contents: str, seed: int = 0) -> str:
    """The reply to the last of `contents`, user and assistant by turns."""
    roles = ("user", "assistant")
    messages = [Message(roles[index % 2], text) for index, text in enumerate(contents)]
    return compose(recall(messages), seed)


def test_the_same_conversation_gets_the_same_reply() -> None:
    assert ask("Tell me about tides") == ask("Tell me about tides")
    assert len({ask("Tell me about tides", seed=seed) for seed in range(20)}) > 1


def test_it_greets_by_a_name_given_earlier() -> None:
    assert "Ada" in ask("my name is ada", "Nice to meet you!", "Hello")
    assert "Ada" not in ask("Hello")


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What is my name?", "**Ada**"),
        ("what's my name", "**Ada**"),
        ("what is my dog [[rate=10]]", "**Rex**"),
        ("Do you remember my name?", "**Ada**"),
        ("Who am I?", "**Ada**"),
        ("Do you remember my first question?", "> My name is Ada and my dog is Rex. How are you?"),
        ("Hello! What can you do?", "Python code for a queue"),
        ("What did I say before?", "> I like tea"),
        ("What was my first question?", "> My name is Ada and my dog is Rex. How are you?"),
        ("What is my dog?", "**Rex**"),
        ("What is my cat?", "not told"),
        ("What did you say?", "> Tea it is."),
        ("How many messages did I write?", "**3** messages"),
        ("What is 12 * 7?", "**84**"),
        ("0.1+0.2", "**0.3**"),
        ("What is 1/0", "divide by zero"),
        ("Count to 5", "1, 2, 3, 4, 5"),
        ("Thanks!", "welcome"),
    ],
)
def test_it_answers_from_what_it_was_shown(question: str, answer: str) -> None:
    introduction = "My name is Ada and my dog is Rex. How are you?"

    assert answer in ask(introduction, "Fine.", "I like tea", "Tea it is.", question)


@pytest.mark.parametrize(
    "question",
    ["What is my name?", "What did I say before?", "What was my first question?",
     "What did you say?", "Tell me everything I said", "What do you remember?"],
)  # fmt: skip
def test_it_remembers_nothing_that_it_was_not_shown(question: str) -> None:
    assert "Ada" not in ask(question)
    assert ask(question)


def test_all_that_was_said_is_told_in_order() -> None:
    assert ask("One", "ok", "Two\nlines", "ok", "What is all I said?").endswith(
        "1. One\n2. Two lines"
    )


def test_notes_are_kept() -> None:
    said = ask("Remember that the key is under the mat.", "ok", "What do you remember?")

    assert "- the key is under the mat" in said


def test_markers_are_no_part_of_what_is_remembered() -> None:
    said = ["My dog is Rex [[rate=10]]", "ok", "Remember this: 42 [[rate=10]]", "ok"]

    assert ask(*said, "What's my dog?") == "Your dog is **Rex**, you said."
    assert ask(*said, "What do you remember?").endswith("\n\n- 42")


@pytest.mark.parametrize(
    ("question", "sign"),
    [
        ("Write Python code for a queue", "```python"),
        ("How do I bake bread?", "1. **Look**"),
        ("A table of planets", "|---|"),
        ("Tell me a long story about rain", "about rain?"),
        ("Help", "dev model"),
        ("Volcanoes in Iceland", "**Volcanoes Iceland**"),
    ],
)
def test_it_shows_markdown_about_the_topic(question: str, sign: str) -> None:
    assert sign in ask(question)


@pytest.mark.parametrize(
    "message",
    ["", " ", "?", "{topic} {0} %s", "[[not a marker]]", "\U0001f469\u200d\U0001f680", "a" * 40_000,
     "my " * 10_000, "1" * 5000 + "+1", "x y " * 8_000],
)  # fmt: skip
def test_it_has_an_answer_to_anything(message: str) -> None:
    assert ask(message)
