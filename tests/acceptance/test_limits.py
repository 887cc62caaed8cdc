"""Limits on model calls, shared by all workers, as the model sees them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from chat.store import keys
from chat.store.client import MAX_TRIES
from chat.store.scripts import read_script
from tests.acceptance.scene import LEASE, Scene
from tests.acceptance.usual import Usual
from tests.harness.stack import Stack
from tests.harness.wait import wait_until
from tests.integration.api.client import APIClient, status_and_code

LIMITED = """
[default]
provider = "openai"
url = "{url}/v1"
model = "fake-model"
{limits}
"""


def limited(scene: Callable[..., Scene], directory: Path, limits: str) -> Scene:
    """Return a stack, not started, of up to two workers, whose only model has limits."""
    here = scene()
    file = directory / "models.toml"
    file.write_text(LIMITED.format(url=here.stack.model.url, limits=limits))
    for process in (here.web, here.worker, here.stack.worker(1)):
        here.reroute(process, CHAT_MODELS_FILE=str(file))
    return here


def test_two_workers_share_the_concurrency_limit(
    scene: Callable[..., Scene], tmp_path: Path
) -> None:
    here = limited(scene, tmp_path, "concurrency = 3").start(workers=2)
    here.script({"times": 20, "latency": 0.3})
    clients = here.clients(20)
    posts = [client.post("Hello") for client in clients]
    here.rest()
    for client, post in zip(clients, posts, strict=True):
        reply = client.reply(post)
        assert (reply["status"], reply["attempt"]) == ("completed", 1)
    record = requests.get(f"{here.stack.model.url}/__calls__", timeout=5).json()
    assert record["max_in_flight"] == 3


@pytest.mark.fault("F01")
def test_slot_of_killed_worker_goes_to_the_next_waiter(
    scene: Callable[..., Scene], tmp_path: Path
) -> None:
    here = limited(scene, tmp_path, "concurrency = 1").start()
    holder, waiter = here.clients(2)
    held = holder.post("Hello [[fault:hang times=1]]")
    here.wait_for_call(held)
    here.stack.worker(1).start()
    post = waiter.post("Are you there?")
    wait = waiter.waits_for(post, "queue")
    here.worker.kill()
    here.history.faults[held.content] = 1
    assert waiter.reply_in(post, "completed")["completed_at"] < wait["retry_at"]
    assert holder.reply_in(held, "completed")["attempt"] == 2


def test_requests_per_minute_are_limited(
    here: Usual,
) -> None:
    first, second = here.client(model="slow"), here.client(model="slow")
    first.reply_in(first.post("Hello"), "completed")
    post = second.post("Hello")
    wait = second.waits_for(post, "rate_limited")
    assert 30 < wait["retry_at"] - here.now() <= 60
    assert here.calls(post.content) == []
    # A minute passes, but only for the limiter.
    here.redis.hincrbyfloat(keys.limiter("slow").limiter, "tat", -60_000)
    here.wake(second.session_id, times=1)
    assert second.reply_in(post, "completed")["attempt"] == 1


def test_turn_is_retried_when_its_limiter_times_out(
    here: Usual,
) -> None:
    client = here.client(model="narrow")
    here.worker_link.drop_response_to(read_script("acquire").sha, times=MAX_TRIES)
    post = client.post("Hello")
    reply = client.reply_in(post, "completed")
    assert "Could not use the limiter of narrow" in here.worker.log
    assert reply["attempt"] == 1
    assert len(here.calls(post.content)) == 1


def test_cancelled_waiter_delays_no_one(here: Usual) -> None:
    """It would be woken, never ask again, and keep its place for half a minute."""
    *holders, cancelling, leaving, last = (here.client(model="narrow") for _ in range(6))
    held = [holder.post("Hello [[fault:endless rate=20]]") for holder in holders]
    for post in held:
        here.wait_for_call(post)
    post, _, waiting = [each.post("Hello") for each in (cancelling, leaving, last)]
    waiters = keys.limiter("narrow").waiters
    wait_until(lambda: here.redis.zcard(waiters) == 3, within=30)
    cancelling.cancel(post)
    leaving.delete()
    holders[0].cancel(held[0])
    last.reply_in(waiting, "completed", within=20)
    for holder, running in zip(holders[1:], held[1:], strict=True):
        holder.cancel(running)


def test_failures_of_bad_prompts_open_no_circuit(
    here: Usual,
) -> None:
    *readers, unlucky, other = here.clients(7)
    troubles = [(reader, "html") for reader in readers] + [(unlucky, "500")] * 2
    posts = [(client, client.post(f"Hello [[fault:{fault}]]")) for client, fault in troubles]
    for client, post in posts:
        here.history.faults[post.content] = 3
        assert client.reply_in(post, "failed")["attempt"] == 4
    # After 28 failed calls in a row; 5 of several sessions would open the circuit.
    assert here.redis.hget(keys.limiter("default").limiter, "half_open") is None
    assert other.reply_in(other.post("Hello"), "completed")["attempt"] == 1


def test_half_open_circuit_allows_one_call_until_it_answers(
    scene: Callable[..., Scene],
) -> None:
    here = scene(
        circuit_failure_threshold=2, circuit_reset_timeout=0.5, max_attempts=1, sweep_interval=0.3
    ).start()
    *unlucky, prober, other = here.clients(4)
    for client in unlucky:
        client.reply_in(client.post("Hello [[fault:500]]"), "failed")
    probe = prober.post(f"Hello [[fault:endless rate=20 latency={LEASE + 1.5}]]")
    here.wait_for_call(probe)
    waiting = other.post("Hello")
    other.reply_in(waiting, "completed")
    assert prober.reply(probe)["status"] == "in_progress"
    (endless,), (short,) = here.calls(probe.content), here.calls(waiting.content)
    assert short["received_at"] >= endless["first_byte_at"]
    prober.cancel(probe)


def test_killed_probe_blocks_calls_only_for_its_lease(
    scene: Callable[..., Scene],
) -> None:
    here = scene(
        circuit_failure_threshold=2, circuit_reset_timeout=0.5, max_attempts=1, sweep_interval=0.3
    ).start()
    *unlucky, prober, other = here.clients(4)
    for client in unlucky:
        client.reply_in(client.post("Hello [[fault:500]]"), "failed")
    probe = prober.post("Hello [[fault:hang]]")
    here.wait_for_call(probe)
    here.worker.kill()
    here.history.faults[probe.content] = 1
    waiting = other.post("Hello")
    here.worker.start()
    prober.reply_in(probe, "failed")
    assert other.reply_in(waiting, "completed")["attempt"] == 1


def start_with_token_limit(build_stack: Callable[..., Stack], directory: Path) -> Stack:
    """Start a stack whose model has enough tokens per minute for one reply at a time."""
    stack = build_stack(env={"CHAT_RETRY_BACKOFF": "0.1"})
    file = directory / "models.toml"
    limits = "tokens_per_minute = 600\nmax_tokens = 250"
    file.write_text(LIMITED.format(url=stack.model.url, limits=limits))
    stack.env["CHAT_MODELS_FILE"] = str(file)
    return stack.start()


def start_with_budget(build_stack: Callable[..., Stack], tokens: int) -> Stack:
    """Start a stack whose sessions may use so many tokens per hour."""
    env = {"CHAT_RETRY_BACKOFF": "0.1", "CHAT_MAX_ATTEMPTS": "2"}
    return build_stack(env=env | {"CHAT_SESSION_TOKENS_PER_HOUR": str(tokens)}).start()


def ended(owner: APIClient, answer: dict[str, Any]) -> dict[str, Any]:
    """Wait for a reply to end, and return it."""
    path = f"{owner.path}/messages/{answer['reply']['id']}"
    wait_until(lambda: owner.get(path).json()["completed_at"], within=30)
    reply: dict[str, Any] = owner.get(path).json()
    return reply


@pytest.mark.security("S24")
def test_session_over_its_token_budget_calls_no_model(
    build_stack: Callable[..., Stack],
) -> None:
    stack = start_with_budget(build_stack, 150)
    failing, talking = (APIClient(stack.web().url).open_session() for _ in range(2))
    # About 104 tokens per attempt: one leaves some of the budget, two exceed it.
    assert ended(failing, failing.post_message("[[fault:500]]" + " a word" * 56))["attempt"] == 2
    taken: list[int] = []
    while sum(taken) < 150:
        taken.append(ended(talking, talking.post_message("Hello"))["usage"]["total_tokens"])
    calls, before = calls_of(stack), [owner.get_session() for owner in (failing, talking)]
    for owner in (failing, talking):
        assert status_and_code(owner.post("/messages", {"content": "More"})) == (
            429,
            "token_budget_exceeded",
        )
    assert [owner.get_session() for owner in (failing, talking)] == before
    assert calls_of(stack) == calls


def waits(owner: APIClient) -> bool:
    """Return whether the last reply waits for tokens."""
    wait = owner.get_session()["messages"][-1]["wait"]
    return wait is not None and wait["reason"] == "rate_limited"


def calls_of(stack: Stack) -> list[dict[str, Any]]:
    """Return the requests that the model got."""
    calls: list[dict[str, Any]] = requests.get(f"{stack.model.url}/__calls__", timeout=5).json()[
        "calls"
    ]
    return calls


@pytest.mark.security("S24")
def test_token_limit_counts_retries(build_stack: Callable[..., Stack], tmp_path: Path) -> None:
    stack = start_with_token_limit(build_stack, tmp_path)
    first, second = (APIClient(stack.web().url).open_session() for _ in range(2))
    first.post_message("Hello [[fault:status status=500]]")
    wait_until(lambda: waits(first), within=30)
    second.post_message("Hello")
    wait_until(lambda: waits(second), within=30)
    (call,) = calls_of(stack)
    assert call["parameters"]["max_tokens"] == 250
