import pytest

from fakemodel.behaviour import Behaviour, Fault
from fakemodel.calls import Call, Message
from fakemodel.directives import parse_words
from fakemodel.errors import APIError
from fakemodel.options import Options
from fakemodel.scenario import Scenario


def call(*contents: str, model: str = "fake") -> Call:
    messages = tuple(Message("user", content) for content in contents)
    return Call(format="chat", model=model, messages=messages)


def faults(scenario: Scenario, *contents: str, calls: int) -> list[Fault | None]:
    return [scenario.select(call(*contents)).fault for _ in range(calls)]


def test_the_options_are_the_default() -> None:
    scenario = Scenario(Options(latency=0.5, rate=10.0))

    behaviour = scenario.select(call("Hello"))

    assert (behaviour.fault, behaviour.latency, behaviour.rate) == (None, 0.5, 10.0)


def test_a_directive_overrides_the_options() -> None:
    scenario = Scenario(Options(latency=0.5, fault=parse_words(["fault:hang"])))

    behaviour = scenario.select(call("[[fault:cut after=1 latency=0]]"))

    assert (behaviour.fault, behaviour.latency) == (Fault.CUT, 0.0)


def test_directive_without_fault_keeps_the_options_fault() -> None:
    scenario = Scenario(Options(fault=parse_words(["fault:hang"])))

    assert scenario.select(call("[[latency=1]]")).fault is Fault.HANG


def test_only_the_last_user_message_has_directives() -> None:
    assert Scenario(Options()).select(call("[[fault:hang]]", "Hello")).fault is None


def test_times_counts_the_retries_of_one_prompt() -> None:
    scenario = Scenario(Options())
    directive = "[[fault:500 times=2]]"

    assert faults(scenario, directive, calls=3) == [Fault.STATUS, Fault.STATUS, None]
    assert faults(scenario, "Earlier", directive, calls=1) == [Fault.STATUS]


def test_times_in_the_options_counts_all_calls() -> None:
    scenario = Scenario(Options(fault=parse_words(["fault:500", "times=2"])))

    selected = [scenario.select(call(text)).fault for text in ("a", "b", "c")]

    assert selected == [Fault.STATUS, Fault.STATUS, None]


def test_probability_is_repeatable_for_a_seed() -> None:
    def draw(seed: int) -> list[Fault | None]:
        scenario = Scenario(Options(seed=seed))
        return faults(scenario, "[[fault:500 probability=0.5]]", calls=50)

    assert draw(1) == draw(1) != draw(2)
    assert 10 < draw(1).count(None) < 40


def test_an_invalid_directive_is_a_400() -> None:
    with pytest.raises(APIError, match="no_such_thing") as caught:
        Scenario(Options()).select(call("[[fault:no_such_thing]]"))

    assert caught.value.status == 400


def test_directives_can_be_disabled() -> None:
    assert Scenario(Options(directives=False)).select(call("[[fault:hang]]")).fault is None


def test_a_script_overrides_directives_until_it_is_used_up() -> None:
    scenario = Scenario(Options())
    scenario.script.add({"steps": [{"fault": "cut", "after": 2}, {"reply": "Well done."}]})

    selected = [scenario.select(call("[[fault:hang]]")) for _ in range(3)]

    assert [behaviour.fault for behaviour in selected] == [Fault.CUT, None, Fault.HANG]
    assert selected[1].reply == "Well done."


def test_a_step_applies_only_to_calls_that_match() -> None:
    scenario = Scenario(Options())
    steps = [
        {"fault": "500", "match": "second", "times": 2},
        {"fault": "hang", "model": "slow", "times": 0},
    ]
    scenario.script.add({"steps": steps})

    assert scenario.select(call("the first")).fault is None
    assert faults(scenario, "the second", calls=3) == [Fault.STATUS, Fault.STATUS, None]
    assert [scenario.select(call("any", model="slow")).fault for _ in range(3)] == [Fault.HANG] * 3
    assert scenario.script.pending() == [steps[1] | {"remaining": 0}]


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
def test_an_invalid_step_is_a_400_and_adds_nothing(step: object) -> None:
    scenario = Scenario(Options())

    with pytest.raises(APIError):
        scenario.script.add({"steps": [{"fault": "cut"}, step]})

    assert scenario.script.pending() == []


def test_a_reset_restarts_script_and_counts() -> None:
    scenario = Scenario(Options())
    scenario.script.add({"steps": [{"fault": "cut"}]})
    assert scenario.select(call("a")) != scenario.select(call("[[fault:500 times=1]]"))

    scenario.reset()

    assert scenario.select(call("[[fault:500 times=1]]")).fault is Fault.STATUS
    assert scenario.select(call("a")) == Behaviour(latency=0.0, rate=0.0, jitter=0.0, tokens=0)
