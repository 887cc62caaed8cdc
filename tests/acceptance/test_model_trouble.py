"""Models that refuse, vanish, hang, drip, or send what nobody can read."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.scene import Scene
from tests.acceptance.usual import MODELS, Usual
from tests.harness.wait import wait_until

HASTY = """
[default.timeouts]
first_delta = 1.0
between_deltas = 1.0
total = 4.0
"""
"""Seconds."""


@pytest.mark.fault("F20")
def test_a_rate_limit_is_waited_out_uses_no_attempt_and_stops_no_other_model(here: Usual) -> None:
    client, other = here.client(), here.client(model="other")
    post = client.post("Hello [[fault:429 retry_after=3 times=1]]")
    here.history.faults[post.content] = 1
    wait = client.waits_for(post, "rate_limited")
    flowing = other.reply_in(other.post("Hello"), "completed")
    reply = client.reply_in(post, "completed")

    first, second = here.calls(post.content)
    assert 3 <= second["received_at"] - first["finished_at"] < 3 + 2
    assert abs(wait["retry_at"] - first["finished_at"] - 3) < 1
    assert flowing["completed_at"] < reply["started_at"]
    assert reply["attempt"] == 1


@pytest.mark.slow
@pytest.mark.fault("F21")
def test_a_model_that_is_away_is_asked_again_when_it_is_back(scene: Callable[..., Scene]) -> None:
    here = scene(max_attempts=20, max_retry_backoff=1).start()
    clients = here.clients(5)
    here.stack.model.kill()
    talks = [(client, client.post("Hello")) for client in clients]
    wait_until(lambda: all(client.reply(post)["attempt"] for client, post in talks), within=30)
    here.stack.model.start()
    for client, post in talks:
        assert client.reply_in(post, "completed")["attempt"] > 1


@pytest.mark.fault("F21")
def test_a_model_that_stays_away_fails_the_turn_with_a_code_and_the_next_goes_on(
    here: Usual,
) -> None:
    client, hasty = here.client(), here.client(model="other")
    broken = client.post("Hello [[fault:500]]")
    here.history.faults[broken.content] = 3
    following = client.post("And then?")
    reply = client.reply_in(broken, "failed")
    assert reply["error"]["code"] == "model_unavailable"
    assert reply["attempt"] == 4
    client.reply_in(following, "completed")

    late = hasty.post("Hello [[fault:503 retry_after=30]]", deadline=2)
    reply = hasty.reply_in(late, "failed")
    assert reply["completed_at"] - reply["created_at"] < 4


def with_patience(here: Scene) -> Scene:
    """Give the default model little patience, and start."""
    path = Path(here.stack.directory) / "models.toml"
    path.write_text(MODELS.format(url=here.stack.model.url) + HASTY)
    here.stack.env["CHAT_MODELS_FILE"] = str(path)
    return here.start()


@pytest.mark.slow
@pytest.mark.fault("F22")
def test_a_model_that_does_not_end_is_ended_and_what_it_said_is_kept(
    scene: Callable[..., Scene],
) -> None:
    # One slot: that the next session is answered shows that it was freed.
    here = with_patience(
        scene(worker_concurrency=1, max_attempts=1, circuit_failure_threshold=1000)
    )
    endings = {
        "hang": ("failed", "model_timeout"),
        "stall after=3": ("incomplete", "model_timeout"),
        "drip byte_rate=20": ("failed", "model_timeout"),
        "endless rate=5": ("incomplete", "deadline_exceeded"),
    }
    for fault, (status, code) in endings.items():
        client, following = here.client(), here.client(model="other")
        post = client.post(f"Hello [[fault:{fault}]]")
        behind = following.post("Hello")
        reply = client.reply_in(post)
        assert (reply["status"], reply["error"]["code"]) == (status, code)
        assert reply["completed_at"] - reply["started_at"] < 4 + 1
        assert bool(reply["content"]) == (status == "incomplete")
        assert bool(reply["usage"]) == bool(reply["content"])
        following.reply_in(behind, "completed")
        here.wait_for_hang_up(post)


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
"""Fault -> code of the error that the reply bears."""


@pytest.mark.fault("F23")
@pytest.mark.security("S27")
def test_garbage_ends_with_a_code_or_cut_and_never_as_completed_nor_in_memory(
    scene: Callable[..., Scene],
) -> None:
    here = with_patience(scene(max_attempts=1, circuit_failure_threshold=1000))
    warm = here.client()
    warm.reply_in(warm.post("Hello"), "completed")
    before = memory(here.worker.pid)
    found = {}
    for fault in GARBAGE:
        client = here.client()
        reply = client.reply_in(client.post(f"Hello [[fault:{fault}]]"))
        assert reply["status"] in {"failed", "incomplete"}, (fault, reply)
        found[fault] = reply["error"]["code"]
        client.reply_in(client.post("And then?"), "completed")
    assert found == GARBAGE
    reply = warm.reply_in(warm.post("Hello [[fault:huge]]"), "incomplete", within=60)
    assert reply["finish_reason"] == "length"
    assert len(reply["content"].encode()) == 1024 * 1024
    assert memory(here.worker.pid) - before < 100 * 1024


def memory(pid: int) -> int:
    """Return the most memory that the process has had, in kB."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found
    return int(found.group(1))
