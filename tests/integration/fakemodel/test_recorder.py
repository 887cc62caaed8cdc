"""The call recorder and the script."""

import time
from collections.abc import Callable

import pytest
import requests

from tests.harness.wait import wait_until
from tests.integration.fakemodel.server import CHAT, COMPLETIONS, GENERATE, FakeModel


def test_calls_are_recorded_in_order(model: FakeModel) -> None:
    before = time.time()
    model.post(CHAT, "first", max_tokens=9)
    model.post(COMPLETIONS, "second", stream=True)
    model.post(GENERATE, "third")

    calls = model.calls()

    assert [call["number"] for call in calls] == [1, 2, 3]
    assert [call["format"] for call in calls] == ["chat", "completions", "huggingface"]
    assert [call["last_user_message"] for call in calls] == ["first", "second", "third"]
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
        assert not call["client_disconnected"]


def test_faults_and_invalid_bodies_are_recorded(model: FakeModel) -> None:
    model.post(CHAT, "[[fault:429]]")
    model.post(CHAT, "x", messages=[])

    faulty, rejected = model.calls()

    assert (faulty["status"], faulty["fault"]) == (429, "status")
    assert (rejected["status"], rejected["messages"]) == (400, None)


def test_a_client_that_disconnects_is_detected_at_once(model: FakeModel) -> None:
    with model.open_call(CHAT, "[[latency=60]]"):
        wait_until(lambda: model.get("/live")["in_flight"] == 1)
    with model.open_call(CHAT, "[[fault:hang]]"):
        pass
    with model.open_call(CHAT, "a b c [[rate=0.01]]", stream=True) as connection:
        connection.recv(1)

    wait_until(lambda: model.get("/live")["in_flight"] == 0, within=1.0)
    calls = model.calls()
    assert [call["client_disconnected"] for call in calls] == [True, True, True]
    assert [call["bytes_sent"] > 0 for call in calls] == [False, False, True]


def test_a_cut_by_the_server_is_not_a_client_disconnect(model: FakeModel) -> None:
    model.read_raw(CHAT, "a b c [[fault:cut]]", stream=True)

    (call,) = wait_until(model.calls)
    assert not call["client_disconnected"]


def test_calls_can_be_filtered_and_paged(model: FakeModel) -> None:
    for text in ("one apple", "two pears", "three apples", "four apples"):
        model.ask(text)

    assert [call["number"] for call in model.calls("?match=apple")] == [1, 3, 4]
    assert [call["number"] for call in model.calls("?match=apple&after=1&limit=1")] == [3]
    assert requests.get(f"{model.url}/__calls__?after=x", timeout=5).status_code == 400


def test_a_script_is_executed_in_order(model: FakeModel) -> None:
    model.script({"fault": "429", "retry_after": 1, "times": 2}, {"reply": "Word for word."})

    assert [model.post(CHAT, "Hi").status_code for _ in range(2)] == [429, 429]
    assert model.ask("Hi") == "Word for word."
    assert model.ask("Hi") == "echo: Hi"
    assert model.get("/__script__") == {"steps": []}


def test_a_step_waits_for_a_matching_message(model: FakeModel) -> None:
    step = {"fault": "500", "match": "needle"}
    model.script(step)

    assert model.ask("hay") == "echo: hay"
    assert model.get("/__script__") == {"steps": [step | {"remaining": 1}]}
    assert model.post(CHAT, "a needle").status_code == 500


def test_an_invalid_script_is_rejected(model: FakeModel) -> None:
    for body in ({}, {"steps": "x"}, {"steps": [{"fault": "nonsense"}]}):
        assert requests.post(f"{model.url}/__script__", json=body, timeout=5).status_code == 400


def test_a_reset_drops_calls_and_script(model: FakeModel) -> None:
    model.ask("Hi")
    model.script({"fault": "500"})

    model.reset()

    assert model.calls() == []
    assert model.ask("Hi") == "echo: Hi"


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/__calls__"), ("POST", "/__reset__"), ("POST", "/__script__")]
)
def test_test_endpoints_require_the_record_option(
    start: Callable[..., FakeModel], method: str, path: str
) -> None:
    assert requests.request(method, start().url + path, timeout=5).status_code == 404
