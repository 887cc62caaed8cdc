import pytest

from fakemodel.behaviour import Behaviour, Fault, merge
from fakemodel.directives import (
    InvalidDirective,
    parse_fields,
    parse_message,
    parse_words,
    remove_directives,
)


def test_a_number_is_the_fault_with_that_status() -> None:
    parsed = parse_message("Hello [[fault:429 retry_after=2 times=3]] there")

    assert parsed == Behaviour(fault=Fault.STATUS, status=429, retry_after=2.0, times=3)


def test_loading_is_a_503_with_20_seconds_by_default() -> None:
    assert parse_message("[[fault:loading]]") == Behaviour(
        fault=Fault.STATUS, status=503, estimated_time=20.0
    )
    assert parse_words(["estimated_time=3", "fault:loading"]).estimated_time == 3.0


def test_all_directives_of_a_message_are_combined() -> None:
    parsed = parse_message("[[fault:cut after=3]] and [[latency=0.5 rate=20]] and [[history]]")

    assert parsed == Behaviour(fault=Fault.CUT, after=3, latency=0.5, rate=20.0, history=True)


@pytest.mark.parametrize("text", ["", "a [[link]] b", "[[x=1]]", "[[historybook]]", "[[fault]]"])
def test_other_double_brackets_are_text(text: str) -> None:
    assert parse_message(text) is None
    assert remove_directives(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "[[fault:no_such_thing]]",
        "[[fault:cut after=-1]]",
        "[[fault:cut after=x]]",
        "[[fault:200]]",
        "[[latency=nan]]",
        "[[latency=1 colour=red]]",
        "[[fault:cut reply=x]]",
        "[[fault:429 code=<script>]]",
    ],
)
def test_an_invalid_directive_raises(text: str) -> None:
    with pytest.raises(InvalidDirective):
        parse_message(text)


def test_directives_can_be_removed() -> None:
    assert remove_directives("Hello [[fault:429 times=1]] [[history]]") == "Hello"


def test_json_and_words_parse_the_same() -> None:
    assert parse_fields({"fault": "cut", "after": 3, "history": True}) == parse_words(
        ["fault:cut", "after=3", "history"]
    )


def test_merging_keeps_what_the_override_does_not_set() -> None:
    merged = merge(Behaviour(latency=1.0, rate=5.0), Behaviour(rate=0.0, fault=Fault.HANG))

    assert merged == Behaviour(latency=1.0, rate=0.0, fault=Fault.HANG)
