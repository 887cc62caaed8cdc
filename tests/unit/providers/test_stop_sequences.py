import re
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.domain import Completion, FinishReason, Reasoning, Usage, UsageSource
from chat.domain.errors import ModelInvalidResponse
from chat.providers.base import StreamItem
from chat.providers.plain_prompt import HUMAN
from chat.providers.stop_sequences import Truncator
from tests.unit.http.splits import positions, split

STOP = Completion(finish_reason=FinishReason.STOP)
LENGTH = Completion(finish_reason=FinishReason.LENGTH)
USAGE = Usage(prompt_tokens=3, completion_tokens=4, source=UsageSource.PROVIDER)


def items(*texts: str, completion: Completion = STOP) -> list[StreamItem]:
    return [*((text, None) for text in texts), ("", completion)]


def truncate(
    items: Iterable[StreamItem], stops: Iterable[str], *, strip: bool = False
) -> Iterator[StreamItem]:
    """Yield what is left of a reply, as `read_reply` does."""
    truncator = Truncator(stops, strip=strip)
    try:
        for item in items:
            yield truncator.feed(item)
            if truncator.is_done:
                return
    except ModelInvalidResponse:
        if rest := truncator.received():
            yield rest, None
        raise


def reply(
    *texts: str,
    stops: tuple[str, ...] = (HUMAN,),
    completion: Completion = STOP,
    strip: bool = True,
) -> str:
    found = truncate(items(*texts, completion=completion), stops, strip=strip)
    return "".join(text for text, _ in found)


def test_reply_ends_at_the_next_turn() -> None:
    assert reply(" Hello there.\nHuman: and you?\nBot: fine") == "Hello there."


@pytest.mark.parametrize("place", range(1, len("Fine.\nHuman: bye")))
def test_reply_ends_at_a_split_marker(place: int) -> None:
    text = "Fine.\nHuman: bye"
    assert reply(text[:place], text[place:]) == "Fine."


def test_partial_markers_are_part_of_the_reply() -> None:
    assert reply("Hum", "ans: Hu", "man", "s", "Human") == "Humans: HumansHuman"


def test_text_is_buffered_no_longer_than_needed() -> None:
    result = [text for text, _ in truncate(items("One ", "two", " H", "i"), (HUMAN,), strip=True)]
    assert result == ["One", " two", "", " Hi", ""]


def test_nothing_after_the_marker_is_read() -> None:
    def stream() -> Iterator[StreamItem]:
        yield " Yes.", None
        yield "\nHuman:", None
        raise AssertionError("read too far")

    result = list(truncate(stream(), (HUMAN,), strip=True))
    assert result == [("Yes.", None), ("", STOP)]


def test_truncated_reply_has_stopped_and_keeps_its_usage() -> None:
    completion = Completion(finish_reason=FinishReason.LENGTH, usage=USAGE)
    result = list(truncate([("Yes.\nHuman: x", completion)], (HUMAN,), strip=True))
    assert result == [("Yes.", Completion(finish_reason=FinishReason.STOP, usage=USAGE))]


def test_truncated_reply_has_finish_reason_length() -> None:
    assert list(truncate(items("Yes", completion=LENGTH), (HUMAN,), strip=True))[-1] == ("", LENGTH)


def test_additional_stops_end_the_reply() -> None:
    assert reply("a b END c", stops=(HUMAN, "END", "")) == "a b"


def test_buffered_whitespace_is_limited() -> None:
    result = [
        text for text, _ in truncate(items("a", *[" " * 1000] * 100, "b"), (HUMAN,), strip=True)
    ]
    assert "".join(result) == "a" + " " * 100_000 + "b"
    assert max(map(len, result)) < 6000


stops = st.lists(st.sampled_from(["Human:", "ab", "abab", "b\n", "\n\n", "ba"]), min_size=1)


@given(st.text("ab\n Human:", max_size=60), stops, positions)
def test_reply_does_not_depend_on_delta_boundaries(
    text: str, stops: list[str], positions: list[int]
) -> None:
    stripped = text.lstrip()
    found = re.search("|".join(map(re.escape, stops)), stripped)
    whole = (stripped[: found.start()] if found else stripped).rstrip()
    assert reply(*split(text, positions), stops=tuple(stops)) == whole


@given(st.text("ab\n Human:", max_size=60), stops, positions)
def test_any_split_keeps_the_whitespace(text: str, stops: list[str], positions: list[int]) -> None:
    found = re.search("|".join(map(re.escape, stops)), text)
    whole = text[: found.start()] if found else text
    assert reply(*split(text, positions), stops=tuple(stops), strip=False) == whole


def test_reasoning_passes_a_cut() -> None:
    stream: list[StreamItem] = [("a", None), ("", Reasoning("hm")), ("b END", None)]
    assert list(truncate(stream, ("END",))) == [("a", None), ("", Reasoning("hm")), ("b ", STOP)]


def test_no_stop_cuts_nothing() -> None:
    assert list(truncate(items(" a ", "b"), ("",))) == items(" a ", "b")


@pytest.mark.parametrize(
    ("texts", "expected"),
    [(("a", "\nHum"), "a\nHum"), (("a ", ""), "a"), (("Hu",), ""), ((" ",), "")],
)
def test_failed_stream_loses_no_text(texts: tuple[str, ...], expected: str) -> None:
    assert collect(failing(*texts), HUMAN, strip=True) == expected


def test_text_that_may_be_a_stop_is_not_the_first_text_of_a_failed_stream() -> None:
    assert collect(failing("EN"), "END", strip=False) == ""
    assert collect(failing("a", "EN"), "END", strip=False) == "aEN"


def collect(stream: Iterator[StreamItem], stop: str, *, strip: bool) -> str:
    """Return the text of a stream that fails."""
    found: list[str] = []
    with pytest.raises(ModelInvalidResponse):
        found.extend(text for text, _ in truncate(stream, (stop,), strip=strip))
    return "".join(found)


def failing(*texts: str) -> Iterator[StreamItem]:
    yield from ((text, None) for text in texts)
    raise ModelInvalidResponse
