"""Which behaviour a call gets."""

import pytest

from fakemodel.behaviour import Behaviour, Fault
from fakemodel.calls import Call, Message
from fakemodel.directives import parse_words
from fakemodel.errors import Refused
from fakemodel.options import Options
from fakemodel.scenario import Plan


def call(*contents: str, model: str = "dev") -> Call:
    messages = tuple(Message("user", content) for content in contents)
    return Call(format="chat", model=model, messages=messages)


def faults(plan: Plan, *contents: str, calls: int) -> list[Fault | None]:
    return [plan.choose(call(*contents)).fault for _ in range(calls)]


def test_without_a_wish_the_options_rule() -> None:
    plan = Plan(Options(latency=0.5, rate=10.0))

    behaviour = plan.choose(call("Hello"))

    assert (behaviour.fault, behaviour.latency, behaviour.rate) == (None, 0.5, 10.0)


def test_a_marker_rules_over_the_options() -> None:
    plan = Plan(Options(latency=0.5, fault=parse_words(["fault:hang"])))

    behaviour = plan.choose(call("[[fault:cut after=1 latency=0]]"))

    assert (behaviour.fault, behaviour.latency) == (Fault.CUT, 0.0)


def test_a_marker_without_a_fault_leaves_the_fault_of_the_options() -> None:
    plan = Plan(Options(fault=parse_words(["fault:hang"])))

    assert plan.choose(call("[[latency=1]]")).fault is Fault.HANG


def test_only_the_last_user_message_is_read_for_markers() -> None:
    assert Plan(Options()).choose(call("[[fault:hang]]", "Hello")).fault is None


def test_times_counts_the_retries_of_one_prompt() -> None:
    plan = Plan(Options())
    marker = "[[fault:500 times=2]]"

    assert faults(plan, marker, calls=3) == [Fault.STATUS, Fault.STATUS, None]
    assert faults(plan, "Earlier", marker, calls=1) == [Fault.STATUS]


def test_times_of_the_options_counts_all_calls() -> None:
    plan = Plan(Options(fault=parse_words(["fault:500", "times=2"])))

    chosen = [plan.choose(call(text)).fault for text in ("a", "b", "c")]

    assert chosen == [Fault.STATUS, Fault.STATUS, None]


def test_chance_is_the_same_for_the_same_seed() -> None:
    def draw(seed: int) -> list[Fault | None]:
        plan = Plan(Options(seed=seed))
        return faults(plan, "[[fault:500 chance=0.5]]", calls=50)

    assert draw(1) == draw(1) != draw(2)
    assert 10 < draw(1).count(None) < 40


def test_a_marker_that_cannot_be_read_is_a_400() -> None:
    with pytest.raises(Refused, match="no_such_thing") as caught:
        Plan(Options()).choose(call("[[fault:no_such_thing]]"))

    assert caught.value.status == 400


def test_markers_can_be_switched_off() -> None:
    assert Plan(Options(markers=False)).choose(call("[[fault:hang]]")).fault is None


def test_the_script_rules_over_markers_and_is_used_up() -> None:
    plan = Plan(Options())
    plan.script.extend({"steps": [{"fault": "cut", "after": 2}, {"reply": "Well done."}]})

    chosen = [plan.choose(call("[[fault:hang]]")) for _ in range(3)]

    assert [behaviour.fault for behaviour in chosen] == [Fault.CUT, None, Fault.HANG]
    assert chosen[1].reply == "Well done."


def test_a_step_waits_for_the_call_that_it_matches() -> None:
    plan = Plan(Options())
    steps = [
        {"fault": "500", "match": "second", "times": 2},
        {"fault": "hang", "model": "slow", "times": 0},
    ]
    plan.script.extend({"steps": steps})

    assert plan.choose(call("the first")).fault is None
    assert faults(plan, "the second", calls=3) == [Fault.STATUS, Fault.STATUS, None]
    assert [plan.choose(call("any", model="slow")).fault for _ in range(3)] == [Fault.HANG] * 3
    assert plan.script.waiting() == [steps[1] | {"left": 0}]


@pytest.mark.parametrize(
    "step",
    [
        "cut",
        {"fault": "no_such_thing"},
        {"fault": "cut", "times": -1},
        {"fault": "cut", "match": 3},
        {"reply": 3},
        {"colour": "red"},
    ],
)
def test_a_bad_step_is_a_400_and_leaves_the_script_alone(step: object) -> None:
    plan = Plan(Options())

    with pytest.raises(Refused):
        plan.script.extend({"steps": [{"fault": "cut"}, step]})

    assert plan.script.waiting() == []


def test_a_reset_begins_anew() -> None:
    plan = Plan(Options())
    plan.script.extend({"steps": [{"fault": "cut"}]})
    assert plan.choose(call("a")) != plan.choose(call("[[fault:500 times=1]]"))

    plan.reset()

    assert plan.choose(call("[[fault:500 times=1]]")).fault is Fault.STATUS
    assert plan.choose(call("a")) == Behaviour(latency=0.0, rate=0.0, jitter=0.0, tokens=0)
