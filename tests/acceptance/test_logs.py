"""The logs of a whole Parley: one request's lines are found in all of them by its id."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.harness.processes import Process
from tests.harness.recording_server import RecordingServer
from tests.harness.stack import Stack
from tests.harness.wait import wait_until
from tests.harness.webhook_receiver import WebhookReceiver
from tests.integration.api.client import APIClient

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
    with RecordingServer() as model:
        stack = build_stack(
            # A vendor's key may stand in its URL.
            env={"MODEL_URL": f"{model.url}/v1?key={CANARY}", "LOG_LEVEL": "DEBUG"}
        ).start()
        web, worker = stack.web(), stack.worker()
        owner = APIClient(web.url).open_session(name=CANARY)
        posted = owner.post("/messages", {"content": CANARY}, **{"X-Request-ID": "req_mine"})
        assert posted.status_code == 202
        place = {"request_id": "req_mine", "session": owner.id, "turn": 1}
        wait_until(lambda: len(about(worker, "req_mine")) > 0, within=30)
        (accepted,) = about(web, "req_mine")
        ended = about(worker, "req_mine")[-1]
        assert accepted | place | {"message": "msg_2: accepted", "level": "INFO"} == accepted
        assert ended | place | {"message": "msg_2: completed"} == ended
        assert (ended["attempt"], ended["fence"]) == (1, 1)
        (call,) = model.requests_to(f"/chat/completions?key={CANARY}")
        assert call.headers["x-request-id"] == "req_mine"
        assert owner.get_session()["messages"][-1]["status"] == "completed"
        for process in (web, worker):
            assert CANARY not in process.log
            assert owner.token not in process.log


def test_every_line_is_json_whoever_writes_it(build_stack: Callable[..., Stack]) -> None:
    """Parley, Celery, uvicorn, Python's warnings, a thread that fails, last words."""
    with WebhookReceiver() as receiver:
        env = {
            "PYTHONPATH": str(Path(__file__).parent / "trouble"),
            "PYTHONWARNINGS": "always",
            "LOG_LEVEL": "DEBUG",
            "CHAT_WEBHOOK_URL": receiver.url,
            "CHAT_WEBHOOK_SECRETS": "whsec_" + "A" * 32,
            "CHAT_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.1/32",
        }
        stack = build_stack(env=env).start()
        web, worker = stack.web(), stack.worker()
        owner = APIClient(web.url).open_session()
        said = owner.post("/messages", {"content": "hi"}, **{"X-Request-ID": "req_mine"})
        assert said.status_code == 202
        for process in (web, worker):
            wait_for_line(process, "UserWarning: a warning")
            wait_for_line(process, "Uncaught exception in thread trouble")
        wait_for_line(worker, "Webhook: try 1: 204, delivered")
        web.stop()
        worker.stop()
    for process in (web, worker):
        others = [line for line in process.log.splitlines() if line and not is_json(line)]
        # Celery prints this one itself.
        assert others in ([], ["worker: Warm shutdown (MainProcess)"])
    assert "celery.bootsteps" in {line["logger"] for line in lines_of(worker)}  # DEBUG holds there
    (tried,) = (each for each in about(worker, "req_mine") if "Webhook" in each["message"])
    assert (tried["attempt"], tried["turn"]) == (1, 1)


def test_a_worker_says_no_more_than_its_level_allows(build_stack: Callable[..., Stack]) -> None:
    """Except that it is ready, which `make run` waits for."""
    worker = build_stack(env={"LOG_LEVEL": "ERROR"}).start().worker()
    worker.stop()
    (ready,) = (line["message"] for line in lines_of(worker))
    assert ready.endswith(" ready.")


def wait_for_line(process: Process, told: str) -> None:
    wait_until(lambda: told in process.log, within=30)


def is_json(line: str) -> bool:
    """Whether the line is an object of JSON that says when, how bad and what."""
    return line.startswith("{") and {"time", "level", "message"} <= json.loads(line).keys()


@pytest.mark.security("S39")
@pytest.mark.parametrize("given", ["a b", "x" * 65, "né"])
def test_an_id_that_could_forge_a_line_is_not_taken(stack: Stack, given: str) -> None:
    owner = APIClient(stack.web().url).open_session()
    header = {"X-Request-ID": given.encode()}
    answer = owner.request("GET", f"/sessions/{owner.id}", headers=header)
    assert answer.headers["X-Request-ID"].startswith("req_")
