"""The logs of a whole Parley: one request's lines are found in all of them by its id."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.harness.ear import Ear
from tests.harness.processes import Process
from tests.harness.stack import Stack
from tests.harness.waiting import wait_until
from tests.integration.api.calls import Api

CANARY = "canary"


def lines_of(process: Process) -> list[dict[str, Any]]:
    """Return the lines of a log, each of which must be JSON."""
    return [json.loads(line) for line in process.log.splitlines() if line.startswith("{")]


def about(process: Process, request_id: str) -> list[dict[str, Any]]:
    """Return what Parley itself has said of a request."""
    return [
        line
        for line in lines_of(process)
        if line.get("request_id") == request_id and line["logger"].startswith("chat.")
    ]


@pytest.mark.security("S39")
def test_one_id_leads_from_the_post_to_the_task_to_the_model(
    build_stack: Callable[..., Stack],
) -> None:
    """None of the lines holds what was said, or the token."""
    with Ear() as model:
        stack = build_stack(
            # A vendor's key may stand in its URL.
            env={"MODEL_URL": f"{model.url}/v1?key={CANARY}", "LOG_LEVEL": "DEBUG"}
        ).start()
        web, worker = stack.web(), stack.worker()
        owner = Api(web.url).open(name=CANARY)
        posted = owner.post("/messages", {"content": CANARY}, **{"X-Request-ID": "req_mine"})
        assert posted.status_code == 202
        place = {"request_id": "req_mine", "session": owner.id, "turn": 1}
        wait_until(lambda: len(about(worker, "req_mine")) > 0, within=30)
        (accepted,) = about(web, "req_mine")
        ended = about(worker, "req_mine")[-1]
        assert accepted | place | {"message": "msg_2: accepted", "level": "INFO"} == accepted
        assert ended | place | {"message": "msg_2: completed"} == ended
        assert (ended["attempt"], ended["fence"]) == (1, 1)
        (call,) = model.posts(f"/chat/completions?key={CANARY}")
        assert call.headers["x-request-id"] == "req_mine"
        assert owner.snapshot()["messages"][-1]["status"] == "completed"
        for process in (web, worker):
            assert CANARY not in process.log
            assert owner.token not in process.log


@pytest.mark.security("S39")
@pytest.mark.parametrize("given", ["a b", "x" * 65, "né"])
def test_an_id_that_could_forge_a_line_is_not_taken(stack: Stack, given: str) -> None:
    owner = Api(stack.web().url).open()
    header = {"X-Request-ID": given.encode()}
    answer = owner.call("GET", f"/sessions/{owner.id}", headers=header)
    assert answer.headers["X-Request-ID"].startswith("req_")
