"""The words in which misbehaviour is asked for."""

import pytest

from fakemodel.behaviour import Behaviour, Fault, merge
from fakemodel.directives import BadBehaviour, parse_fields, parse_markers, parse_words


def test_a_number_is_the_fault_of_that_status() -> None:
    asked = parse_markers("Hello [[fault:429 retry_after=2 times=3]] there")

    assert asked == Behaviour(fault=Fault.STATUS, status=429, retry_after=2.0, times=3)


def test_loading_is_a_503_of_twenty_seconds_unless_told_otherwise() -> None:
    assert parse_markers("[[fault:loading]]") == Behaviour(
        fault=Fault.STATUS, status=503, estimated_time=20.0
    )
    assert parse_words(["estimated_time=3", "fault:loading"]).estimated_time == 3.0


def test_all_markers_of_a_message_are_taken_together() -> None:
    asked = parse_markers("[[fault:cut after=3]] and [[latency=0.5 rate=20]] and [[history]]")

    assert asked == Behaviour(fault=Fault.CUT, after=3, latency=0.5, rate=20.0, history=True)


@pytest.mark.parametrize("text", ["", "a [[link]] b", "[[x=1]]", "[[historybook]]", "[[fault]]"])
def test_other_double_brackets_are_text(text: str) -> None:
    assert parse_markers(text) is None


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
def test_a_word_of_ours_with_a_mistake_is_refused(text: str) -> None:
    with pytest.raises(BadBehaviour):
        parse_markers(text)


def test_json_spells_the_same_as_words() -> None:
    assert parse_fields({"fault": "cut", "after": 3, "history": True}) == parse_words(
        ["fault:cut", "after=3", "history"]
    )


def test_merging_keeps_what_the_upper_one_leaves_open() -> None:
    merged = merge(Behaviour(latency=1.0, rate=5.0), Behaviour(rate=0.0, fault=Fault.HANG))

    assert merged == Behaviour(latency=1.0, rate=0.0, fault=Fault.HANG)
