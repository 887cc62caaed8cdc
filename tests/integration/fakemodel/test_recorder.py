"""The call recorder and the script."""

import time

import pytest
import requests

from tests.harness.wait import wait_until
from tests.integration.fakemodel.server import CHAT, COMPLETIONS, GENERATE, FakeModel

INVALID_STEPS: list[object] = [
    *("cut", {"fault": "no_such_thing"}, {"fault": "cut", "times": -1}),
    *({"fault": "cut", "match": 3}, {"reply": 3}, {"colour": "red"}),
]


def test_calls_are_recorded_in_order(model: FakeModel) -> None:
    before = time.time()
    model.post(CHAT, "an apple", max_tokens=9)
    model.post(COMPLETIONS, "a pear", stream=True)
    model.post(GENERATE, "apples")
    model.post(CHAT, "[[fault:429]]")
    model.post(CHAT, "x", messages=[])

    *replied, faulty, rejected = model.calls()

    assert [
        (call["number"], call["format"], call["last_user_message"], call["stream"], call["path"])
        for call in replied
    ] == [
        (1, "chat", "an apple", False, CHAT),
        (2, "completions", "a pear", True, COMPLETIONS),
        (3, "huggingface", "apples", False, GENERATE),
    ]
    assert replied[0]["messages"] == [{"role": "user", "content": "an apple"}]
    assert replied[0]["parameters"] == {"max_tokens": 9}
    assert replied[1]["prompt"] == "Human: a pear\nBot: "
    assert replied[2]["model"] == "m"
    for call in replied:
        assert before < call["received_at"] <= call["first_byte_at"] <= call["finished_at"]
        assert (call["status"], call["client_disconnected"]) == (200, False)
        assert call["bytes_sent"] > 0
    assert (faulty["status"], faulty["fault"]) == (429, "status")
    assert (rejected["status"], rejected["messages"]) == (400, None)
    assert [call["number"] for call in model.calls("?match=apple")] == [1, 3]
    assert [call["number"] for call in model.calls("?match=apple&after=1&limit=1")] == [3]
    assert requests.get(f"{model.url}/__calls__?after=x", timeout=5).status_code == 400


def test_a_client_that_disconnects_is_detected_at_once(model: FakeModel) -> None:
    model.read_raw(CHAT, "a b c [[fault:cut]]", stream=True)  # by the server
    with model.open_call(CHAT, "[[latency=60]]"):
        wait_until(lambda: model.get("/live")["in_flight"] == 1)
    with model.open_call(CHAT, "[[fault:hang]]"):
        pass
    with model.open_call(CHAT, "a b c [[rate=0.01]]", stream=True) as connection:
        connection.recv(1)

    wait_until(lambda: model.get("/live")["in_flight"] == 0, within=1.0)
    calls = model.calls()
    assert [call["client_disconnected"] for call in calls] == [False, True, True, True]
    assert [call["bytes_sent"] > 0 for call in calls] == [True, False, False, True]


def test_a_script_is_executed_in_order_until_a_reset(model: FakeModel) -> None:
    step = {"fault": "500", "match": "needle"}
    model.script({"fault": "429", "retry_after": 1, "times": 2}, {"reply": "Word for word."}, step)

    assert [model.post(CHAT, "Hi").status_code for _ in range(2)] == [429, 429]
    assert [model.ask("Hi") for _ in range(2)] == ["Word for word.", "echo: Hi"]
    assert model.get("/__script__") == {"steps": [step | {"remaining": 1}]}
    assert model.post(CHAT, "a needle").status_code == 500
    model.script(step)
    model.reset()

    assert (model.calls(), model.get("/__script__")) == ([], {"steps": []})


@pytest.mark.parametrize(
    "body",
    [{}, {"steps": "x"}, *({"steps": [{"fault": "cut"}, step]} for step in INVALID_STEPS)],
)
def test_an_invalid_script_is_a_400_and_adds_nothing(model: FakeModel, body: object) -> None:
    response = requests.post(f"{model.url}/__script__", json=body, timeout=5)
    assert response.status_code == 400
    assert model.get("/__script__") == {"steps": []}
