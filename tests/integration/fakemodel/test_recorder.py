"""What tests can ask the server afterwards, and tell it beforehand."""

import time
from collections.abc import Callable

import pytest
import requests

from tests.harness.waiting import wait_until
from tests.integration.fakemodel.server import CHAT, COMPLETIONS, GENERATE, FakeModel


def test_calls_are_recorded_in_order_with_what_the_model_was_shown(model: FakeModel) -> None:
    before = time.time()
    model.post(CHAT, "first", max_tokens=9)
    model.post(COMPLETIONS, "second", stream=True)
    model.post(GENERATE, "third")

    calls = model.calls()

    assert [call["number"] for call in calls] == [1, 2, 3]
    assert [call["format"] for call in calls] == ["chat", "completions", "huggingface"]
    assert [call["asked"] for call in calls] == ["first", "second", "third"]
    assert [call["stream"] for call in calls] == [False, True, False]
    assert calls[0]["messages"] == [{"role": "user", "content": "first"}]
    assert calls[0]["parameters"] == {"max_tokens": 9}
    assert calls[1]["prompt"] == "Human: second\nBot: "
    assert calls[2]["path"] == "/models/m"
    assert calls[2]["model"] == "m"
    for call in calls:
        assert before < call["received_at"] <= call["first_byte_at"] <= call["finished_at"]
        assert call["status"] == 200
        assert call["bytes_sent"] > 0
        assert not call["closed_early"]


def test_a_fault_and_a_refused_body_are_on_record(model: FakeModel) -> None:
    model.post(CHAT, "[[fault:429]]")
    model.post(CHAT, "x", messages=[])

    faulty, refused = model.calls()

    assert (faulty["status"], faulty["fault"]) == (429, "status")
    assert (refused["status"], refused["messages"]) == (400, None)


def test_a_caller_who_leaves_is_noticed_at_once(model: FakeModel) -> None:
    with model.opened(CHAT, "[[latency=60]]"):
        wait_until(lambda: model.get("/live")["in_flight"] == 1)
    with model.opened(CHAT, "[[fault:hang]]"):
        pass
    with model.opened(CHAT, "a b c [[rate=0.01]]", stream=True) as connection:
        connection.recv(1)

    wait_until(lambda: model.get("/live")["in_flight"] == 0, within=1.0)
    calls = model.calls()
    assert [call["closed_early"] for call in calls] == [True, True, True]
    assert [call["bytes_sent"] > 0 for call in calls] == [False, False, True]


def test_what_the_server_breaks_off_is_not_the_callers_doing(model: FakeModel) -> None:
    model.read_raw(CHAT, "a b c [[fault:cut]]", stream=True)

    (call,) = wait_until(model.calls)
    assert not call["closed_early"]


def test_calls_can_be_searched_and_paged(model: FakeModel) -> None:
    for text in ("one apple", "two pears", "three apples", "four apples"):
        model.say(text)

    assert [call["number"] for call in model.calls("?match=apple")] == [1, 3, 4]
    assert [call["number"] for call in model.calls("?match=apple&after=1&limit=1")] == [3]
    assert requests.get(f"{model.url}/__calls__?after=x", timeout=5).status_code == 400


def test_a_script_is_followed_in_order_and_then_all_is_well(model: FakeModel) -> None:
    model.script({"fault": "429", "retry_after": 1, "times": 2}, {"reply": "Word for word."})

    assert [model.post(CHAT, "Hi").status_code for _ in range(2)] == [429, 429]
    assert model.say("Hi") == "Word for word."
    assert model.say("Hi") == "echo: Hi"
    assert model.get("/__script__") == {"steps": []}


def test_a_step_of_a_script_waits_for_its_message(model: FakeModel) -> None:
    step = {"fault": "500", "match": "needle"}
    model.script(step)

    assert model.say("hay") == "echo: hay"
    assert model.get("/__script__") == {"steps": [step | {"left": 1}]}
    assert model.post(CHAT, "a needle").status_code == 500


def test_a_bad_script_is_refused(model: FakeModel) -> None:
    for body in ({}, {"steps": "x"}, {"steps": [{"fault": "nonsense"}]}):
        assert requests.post(f"{model.url}/__script__", json=body, timeout=5).status_code == 400


def test_a_reset_forgets_calls_and_script(model: FakeModel) -> None:
    model.say("Hi")
    model.script({"fault": "500"})

    model.reset()

    assert model.calls() == []
    assert model.say("Hi") == "echo: Hi"


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/__calls__"), ("POST", "/__reset__"), ("POST", "/__script__")]
)
def test_without_the_option_there_is_no_record(
    start: Callable[..., FakeModel], method: str, path: str
) -> None:
    assert requests.request(method, start().url + path, timeout=5).status_code == 404
