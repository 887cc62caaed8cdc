"""Models that reject calls, are down, hang, are slow, or send garbage."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.deployment import Deployment
from tests.acceptance.shared_deployment import MODELS, SharedDeployment
from tests.harness.wait import wait_until

# Seconds.
SHORT_TIMEOUTS = """
[default.timeouts]
first_event = 1.0
between_events = 1.0
total = 4.0
"""


@pytest.mark.fault("F20")
def test_rate_limit_uses_no_attempt_and_blocks_no_other_model(
    deployment: SharedDeployment,
) -> None:
    client, other = deployment.client(), deployment.client(model="other")
    post = client.post("Hello [[fault:429 retry_after=3 times=1]]")
    deployment.history.faults[post.content] = 1
    wait = client.wait_until_waiting(post, "rate_limited")
    unaffected = other.wait_for_reply(other.post("Hello"), "completed")
    reply = client.wait_for_reply(post, "completed")

    first, second = deployment.calls(post.content)
    assert 3 <= second["received_at"] - first["finished_at"] < 3 + 2
    assert abs(wait["retry_at"] - first["finished_at"] - 3) < 1
    assert unaffected["completed_at"] < reply["started_at"]
    assert reply["attempt"] == 1


@pytest.mark.slow
@pytest.mark.fault("F21")
def test_stopped_model_is_called_again_after_its_restart(
    build_deployment: Callable[..., Deployment],
) -> None:
    deployment = build_deployment(max_attempts=20, max_retry_backoff=1).start()
    clients = deployment.clients(5)
    deployment.stack.model.kill()
    posts = [(client, client.post("Hello")) for client in clients]
    wait_until(lambda: all(client.reply(post)["attempt"] for client, post in posts), within=30)
    deployment.stack.model.start()
    for client, post in posts:
        assert client.wait_for_reply(post, "completed")["attempt"] > 1


@pytest.mark.fault("F21")
def test_model_that_stays_down_fails_the_turn_with_a_code(
    deployment: SharedDeployment,
) -> None:
    client, other = deployment.client(), deployment.client(model="other")
    failing = client.post("Hello [[fault:500]]")
    deployment.history.faults[failing.content] = 3
    following = client.post("And then?")
    reply = client.wait_for_reply(failing, "failed")
    assert reply["error"]["code"] == "model_unavailable"
    assert reply["attempt"] == 4
    client.wait_for_reply(following, "completed")

    late = other.post("Hello [[fault:503 retry_after=30]]", deadline=2)
    reply = other.wait_for_reply(late, "failed")
    assert reply["completed_at"] - reply["created_at"] < 4


def start_with_short_timeouts(deployment: Deployment) -> Deployment:
    """Set short timeouts for the default model, and start."""
    path = Path(deployment.stack.directory) / "models.toml"
    path.write_text(MODELS.format(url=deployment.stack.model.url) + SHORT_TIMEOUTS)
    deployment.stack.env["CHAT_MODELS_FILE"] = str(path)
    return deployment.start()


@pytest.mark.slow
@pytest.mark.fault("F22")
def test_timeouts_end_calls_and_keep_partial_text(
    build_deployment: Callable[..., Deployment],
) -> None:
    # One thread: the reply to the next session shows that the thread was freed.
    deployment = start_with_short_timeouts(
        build_deployment(worker_concurrency=1, max_attempts=1, circuit_failure_threshold=1000)
    )
    outcomes = {
        "hang": ("failed", "model_timeout"),
        "stall after=3": ("incomplete", "model_timeout"),
        "drip byte_rate=20": ("failed", "model_timeout"),
        "endless rate=5": ("incomplete", "deadline_exceeded"),
    }
    for fault, (status, code) in outcomes.items():
        client, following = deployment.client(), deployment.client(model="other")
        post = client.post(f"Hello [[fault:{fault}]]")
        queued = following.post("Hello")
        reply = client.wait_for_reply(post)
        assert (reply["status"], reply["error"]["code"]) == (status, code)
        assert reply["completed_at"] - reply["started_at"] < 4 + 1
        assert bool(reply["content"]) == (status == "incomplete")
        assert bool(reply["usage"]) == bool(reply["content"])
        following.wait_for_reply(queued, "completed")
        deployment.wait_for_disconnect(post)


# Fault -> error code of the reply.
GARBAGE = {
    "html": "model_invalid_response",
    "not_http": "model_invalid_response",
    "invalid_json": "model_invalid_response",
    "no_finish_reason": "model_invalid_response",
    "cut": "model_unavailable",
    "empty_body": "model_invalid_response",
    "invalid_utf8": "model_invalid_response",
    "gzip_bomb": "model_invalid_response",
    "long_line": "model_invalid_response",
    "redirect": "model_bad_request",
}


@pytest.mark.fault("F23")
@pytest.mark.security("S27")
def test_garbage_ends_with_an_error_code_in_bounded_memory(
    build_deployment: Callable[..., Deployment],
) -> None:
    deployment = start_with_short_timeouts(
        build_deployment(max_attempts=1, circuit_failure_threshold=1000)
    )
    client = deployment.client()
    client.wait_for_reply(client.post("Hello"), "completed")
    before = memory(deployment.worker.pid)
    found = {}
    for fault in GARBAGE:
        client = deployment.client()
        reply = client.wait_for_reply(client.post(f"Hello [[fault:{fault}]]"))
        assert reply["status"] in {"failed", "incomplete"}, (fault, reply)
        found[fault] = reply["error"]["code"]
        client.wait_for_reply(client.post("And then?"), "completed")
    assert found == GARBAGE
    reply = client.wait_for_reply(client.post("Hello [[fault:huge]]"), "incomplete", within=60)
    assert reply["finish_reason"] == "length"
    assert len(reply["content"].encode()) == 1024 * 1024
    assert memory(deployment.worker.pid) - before < 100 * 1024


def memory(pid: int) -> int:
    """Return the process's peak memory in kB."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found
    return int(found.group(1))
