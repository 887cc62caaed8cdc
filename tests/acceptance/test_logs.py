"""The logs of an installation: a request id finds all records of the request."""

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


def records_of(process: Process) -> list[dict[str, Any]]:
    """Return the JSON records of a log."""
    return [json.loads(line) for line in process.log.splitlines() if line.startswith("{")]


def records_of_request(process: Process, request_id: str) -> list[dict[str, Any]]:
    """Return Parley's own records of a request."""
    return [
        record
        for record in records_of(process)
        if record.get("request_id") == request_id and record["logger"].startswith("chat.")
    ]


@pytest.mark.security("S39")
def test_request_id_is_logged_by_web_worker_and_model(
    build_stack: Callable[..., Stack],
) -> None:
    """No record contains content or a token."""
    with RecordingServer() as model:
        stack = build_stack(
            # A URL may contain the vendor's key.
            env={"MODEL_URL": f"{model.url}/v1?key={CANARY}", "LOG_LEVEL": "DEBUG"}
        ).start()
        web, worker = stack.web(), stack.worker()
        owner = APIClient(web.url).open_session(name=CANARY)
        posted = owner.post("/messages", {"content": CANARY}, **{"X-Request-ID": "req_mine"})
        assert posted.status_code == 202
        expected = {"request_id": "req_mine", "session": owner.id, "turn": 1}
        wait_until(lambda: len(records_of_request(worker, "req_mine")) > 0, within=30)
        (accepted,) = records_of_request(web, "req_mine")
        ended = records_of_request(worker, "req_mine")[-1]
        assert accepted | expected | {"message": "msg_2: accepted", "level": "INFO"} == accepted
        assert ended | expected | {"message": "msg_2: completed"} == ended
        assert (ended["attempt"], ended["fence"]) == (1, 1)
        (call,) = model.requests_to(f"/chat/completions?key={CANARY}")
        assert call.headers["x-request-id"] == "req_mine"
        assert owner.get_session()["messages"][-1]["status"] == "completed"
        for process in (web, worker):
            assert CANARY not in process.log
            assert owner.token not in process.log


def test_every_log_line_is_json(build_stack: Callable[..., Stack]) -> None:
    """Of Parley, Celery, uvicorn, Python's warnings and uncaught exceptions."""
    with WebhookReceiver() as receiver:
        env = {
            "PYTHONPATH": str(Path(__file__).parent / "uncaught_errors"),
            "PYTHONWARNINGS": "always",
            "LOG_LEVEL": "DEBUG",
            "CHAT_WEBHOOK_URL": receiver.url,
            "CHAT_WEBHOOK_SECRETS": "whsec_" + "A" * 32,
            "CHAT_WEBHOOK_ALLOWED_NETWORKS": "127.0.0.1/32",
        }
        stack = build_stack(env=env).start()
        web, worker = stack.web(), stack.worker()
        owner = APIClient(web.url).open_session()
        posted = owner.post("/messages", {"content": "hi"}, **{"X-Request-ID": "req_mine"})
        assert posted.status_code == 202
        for process in (web, worker):
            wait_for_line(process, "UserWarning: a warning")
            wait_for_line(process, "Uncaught exception in thread failing")
        wait_for_line(worker, "Webhook: attempt 1: 204, delivered")
        web.stop()
        worker.stop()
    for process in (web, worker):
        others = [line for line in process.log.splitlines() if line and not is_json(line)]
        # Celery prints this line itself.
        assert others in ([], ["worker: Warm shutdown (MainProcess)"])
    assert "celery.bootsteps" in {
        record["logger"] for record in records_of(worker)
    }  # also Celery logs at DEBUG
    (delivery,) = (
        each for each in records_of_request(worker, "req_mine") if "Webhook" in each["message"]
    )
    assert (delivery["attempt"], delivery["turn"]) == (1, 1)


@pytest.mark.thorough
def test_worker_logs_nothing_below_its_level(build_stack: Callable[..., Stack]) -> None:
    """Except that it is ready: `make run` waits for this line."""
    worker = build_stack(env={"LOG_LEVEL": "ERROR"}).start().worker()
    worker.stop()
    (ready,) = (record["message"] for record in records_of(worker))
    assert ready.endswith(" ready.")


def wait_for_line(process: Process, text: str) -> None:
    wait_until(lambda: text in process.log, within=30)


def is_json(line: str) -> bool:
    """Return whether the line is a JSON object with time, level and message."""
    return line.startswith("{") and {"time", "level", "message"} <= json.loads(line).keys()


@pytest.mark.security("S39")
@pytest.mark.parametrize("given", ["a b", "x" * 65, "né"])
def test_request_id_that_could_forge_a_line_is_ignored(stack: Stack, given: str) -> None:
    owner = APIClient(stack.web().url).open_session()
    header = {"X-Request-ID": given.encode()}
    answer = owner.request("GET", f"/sessions/{owner.id}", headers=header)
    assert answer.headers["X-Request-ID"].startswith("req_")
