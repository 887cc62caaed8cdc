from typing import Any

import pytest

from fakemodel.behaviour import Behaviour, Fault, merge
from fakemodel.directives import (
    InvalidDirective,
    parse_fields,
    parse_message,
    parse_words,
    remove_directives,
)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Hi [[fault:429 retry_after=2 times=3]]",
         {"fault": Fault.STATUS, "status": 429, "retry_after": 2.0, "times": 3}),
        ("Hi [[fault:loading]]", {"fault": Fault.STATUS, "status": 503, "estimated_time": 20.0}),
        ("Hi [[fault:cut after=3]] [[latency=0.5 rate=20]] [[history]]",
         {"fault": Fault.CUT, "after": 3, "latency": 0.5, "rate": 20.0, "history": True}),
    ],
)  # fmt: skip
def test_a_message_sets_the_behaviour(message: str, expected: dict[str, Any]) -> None:
    assert parse_message(message) == Behaviour(**expected)
    assert remove_directives(message) == "Hi"
    for text in ("", "a [[link]] b", "[[x=1]]", "[[historybook]]", "[[fault]]"):
        assert (parse_message(text), remove_directives(text)) == (None, text)


@pytest.mark.parametrize(
    "inside",
    ["fault:no_such_thing", "fault:cut after=-1", "fault:cut after=x", "fault:200", "latency=nan",
     "latency=1 colour=red", "fault:cut reply=x", "fault:429 code=<script>"],
)  # fmt: skip
def test_an_invalid_directive_raises(inside: str) -> None:
    with pytest.raises(InvalidDirective):
        parse_message(f"[[{inside}]]")


def test_json_and_words_are_equivalent_and_override() -> None:
    words = parse_words(["fault:cut", "after=3", "history"])

    assert words == parse_fields({"fault": "cut", "after": 3, "history": True})
    assert merge(Behaviour(latency=1.0, after=5), words) == Behaviour(
        latency=1.0, fault=Fault.CUT, after=3, history=True
    )
