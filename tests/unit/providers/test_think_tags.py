import re
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.domain import Completion, FinishReason, Reasoning
from chat.providers.base import StreamItem
from chat.providers.think_tags import Remover
from tests.unit.http.splits import positions, split

pytestmark = pytest.mark.case("C11")

STOP = Completion(finish_reason=FinishReason.STOP)


def remove(items: Iterable[StreamItem], *, is_prefilled: bool) -> Iterator[StreamItem]:
    remover = Remover(is_prefilled=is_prefilled)
    for item in items:
        yield from remover.feed(item)


def read(*texts: str, is_prefilled: bool = False, whole: bool = False) -> tuple[str, str]:
    """Return reasoning and reply."""
    items: list[StreamItem] = [(text, None) for text in texts]
    items = [(texts[0], STOP)] if whole else [*items, ("", STOP)]
    found = list(remove(items, is_prefilled=is_prefilled))
    assert found[-1][1] == STOP
    reasoning = "".join(each.text for _, each in found if isinstance(each, Reasoning))
    return reasoning, "".join(text for text, _ in found)


@pytest.mark.parametrize(
    ("text", "reasoning", "reply"),
    [
        ("<think>hm</think>Hello", "hm", "Hello"),
        ("<think>\nhm\n</think>\n\nHello ", "\nhm\n", "Hello "),
        (" \n<think>hm</think> Hello", "hm", "Hello"),
        ("<think></think>Hello", "", "Hello"),
        ("<think>a <think> b</think>Hello", "a <think> b", "Hello"),
        ("<think>hm", "hm", ""),
        ("<think>hm</thin", "hm</thin", ""),
        ("<think>hm</think>", "hm", ""),
        ("<think>hm</think>\n", "hm", ""),
        ("<thinking>hm</thinking>Hello", "hm", "Hello"),
        ("<thought>hm</thought>Hello", "hm", "Hello"),
        ("<reasoning>hm</reasoning>Hello", "hm", "Hello"),
        ("[THINK]hm[/THINK]Hello", "hm", "Hello"),
        ("Hello <think>hm</think>", "", "Hello <think>hm</think>"),
        ("  Hello", "", "  Hello"),
        ("<thin", "", "<thin"),
        ("<b>Hello</b>", "", "<b>Hello</b>"),
        ("", "", ""),
        ("  ", "", "  "),
        ("<think>hm</think>Hello<think>x</think>", "hm", "Hello<think>x</think>"),
    ],
)
def test_leading_tags_are_removed(text: str, reasoning: str, reply: str) -> None:
    assert read(text) == (reasoning, reply)
    assert read(text, whole=True) == (reasoning, reply)
    assert read(*text) == (reasoning, reply)


def test_prefilled_reply_starts_inside() -> None:
    assert read("hm</thi", "nk>\nHello", is_prefilled=True) == ("hm", "Hello")
    assert read("hm", is_prefilled=True) == ("hm", "")


def test_reasoning_is_yielded_at_once() -> None:
    items = remove([("<think>a", None), ("b", None), ("</think>c", None)], is_prefilled=False)
    assert next(items) == ("", Reasoning("a"))


@given(st.text("<>/think \n", max_size=40), st.booleans(), positions)
def test_any_split_gives_the_same_reply(text: str, tagged: bool, positions: list[int]) -> None:
    text = f"<think>{text}" if tagged else text
    whole = read(text)
    assert read(*split(text, positions)) == whole
    if not re.match(r"\s*<think>", text):
        assert whole == ("", text)
