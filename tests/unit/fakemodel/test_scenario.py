import pytest

from fakemodel.behaviour import Behaviour, Fault
from fakemodel.calls import Call, Message
from fakemodel.directives import parse_words
from fakemodel.options import Options
from fakemodel.scenario import Scenario

HANG = parse_words(["fault:hang"])


def select(scenario: Scenario, *contents: str, model: str = "fake") -> Behaviour:
    messages = tuple(Message("user", content) for content in contents)
    return scenario.select(Call(format="chat", model=model, messages=messages))


def faults(scenario: Scenario, *contents: str, calls: int) -> list[Fault | None]:
    return [select(scenario, *contents).fault for _ in range(calls)]


@pytest.mark.parametrize(
    ("options", "message", "expected"),
    [
        (Options(latency=0.5, rate=10.0), "Hi", (None, 0.5, 10.0)),
        (Options(rate=10.0, fault=HANG), "[[latency=1]]", (Fault.HANG, 1.0, 10.0)),
        (Options(latency=0.5, fault=HANG), "[[fault:cut latency=0]]", (Fault.CUT, 0.0, 0.0)),
        (Options(directives=False), "[[fault:hang]]", (None, 0.0, 0.0)),
    ],
)
def test_the_last_message_overrides_the_options(
    options: Options, message: str, expected: tuple[Fault | None, float, float]
) -> None:
    behaviour = select(Scenario(options), "[[fault:reset latency=9]]", message)

    assert (behaviour.fault, behaviour.latency, behaviour.rate) == expected


def test_times_counts_retries_or_in_the_options_all_calls() -> None:
    twice_by_prompt = Scenario(Options())
    twice = Scenario(Options(fault=parse_words(["fault:500", "times=2"])))
    directive = "[[fault:500 times=2]]"

    assert faults(twice_by_prompt, directive, calls=3) == [Fault.STATUS, Fault.STATUS, None]
    assert faults(twice_by_prompt, "Earlier", directive, calls=1) == [Fault.STATUS]
    for _ in range(2):
        assert [select(twice, text).fault for text in "abc"] == [Fault.STATUS, Fault.STATUS, None]
        twice.reset()


def test_probability_is_repeatable_for_a_seed() -> None:
    def draw(seed: int) -> list[Fault | None]:
        return faults(Scenario(Options(seed=seed)), "[[fault:500 probability=0.5]]", calls=50)

    assert draw(1) == draw(1) != draw(2)
    assert 10 < draw(1).count(None) < 40


def test_a_script_overrides_directives_for_calls_that_match() -> None:
    scenario = Scenario(Options())
    slow = {"fault": "hang", "model": "slow", "times": 0}
    scenario.script.add({"steps": [{"fault": "500", "match": "second", "times": 2}, slow]})
    scenario.script.add({"steps": [{"reply": "Well done."}]})

    assert faults(scenario, "second [[fault:cut]]", calls=2) == [Fault.STATUS, Fault.STATUS]
    assert [select(scenario, "any", model="slow").fault for _ in range(3)] == [Fault.HANG] * 3
    assert select(scenario, "[[fault:cut]]").reply == "Well done."
    assert select(scenario, "[[fault:cut]]").fault is Fault.CUT
    assert scenario.script.pending() == [slow | {"remaining": 0}]
