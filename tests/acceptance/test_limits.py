"""Limits on model calls, shared by all workers, as the model sees them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from chat.store import keys
from chat.store.routing import MAX_TRIES
from chat.store.scripts import read_script
from tests.acceptance.deployment import LEASE_TTL, Deployment
from tests.acceptance.shared_deployment import SharedDeployment
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


def limited(
    build_deployment: Callable[..., Deployment], directory: Path, limits: str
) -> Deployment:
    """Return a stack, not started, of up to two workers, whose only model has limits."""
    deployment = build_deployment()
    file = directory / "models.toml"
    file.write_text(LIMITED.format(url=deployment.stack.model.url, limits=limits))
    for process in (deployment.web, deployment.worker, deployment.stack.worker(1)):
        deployment.reroute(process, CHAT_MODELS_FILE=str(file))
    return deployment


@pytest.mark.thorough
def test_two_workers_share_the_concurrency_limit(
    build_deployment: Callable[..., Deployment], tmp_path: Path
) -> None:
    deployment = limited(build_deployment, tmp_path, "concurrency = 3").start(workers=2)
    clients = deployment.clients(20)
    # At most two of three calls may be silent.
    posts = [client.post("Hello [[tokens=15 rate=30]]") for client in clients]
    deployment.wait_until_idle()
    for client, post in zip(clients, posts, strict=True):
        reply = client.reply(post)
        assert (reply["status"], reply["attempt"]) == ("completed", 1)
    record = requests.get(f"{deployment.stack.model.url}/__calls__", timeout=5).json()
    assert record["max_in_flight"] == 3


@pytest.mark.thorough
@pytest.mark.fault("F01")
def test_slot_of_killed_worker_goes_to_the_next_waiter(
    build_deployment: Callable[..., Deployment], tmp_path: Path
) -> None:
    deployment = limited(build_deployment, tmp_path, "concurrency = 1").start()
    holder, waiter = deployment.clients(2)
    held = holder.post("Hello [[fault:hang times=1]]")
    deployment.wait_for_call(held)
    deployment.stack.worker(1).start()
    post = waiter.post("Are you there?")
    wait = waiter.wait_until_waiting(post, "queue")
    deployment.worker.kill()
    deployment.history.faults[held.content] = 1
    assert waiter.wait_for_reply(post, "completed")["completed_at"] < wait["retry_at"]
    assert holder.wait_for_reply(held, "completed")["attempt"] == 2


@pytest.mark.thorough
def test_requests_per_minute_are_limited(
    deployment: SharedDeployment,
) -> None:
    first, second = deployment.client(model="slow"), deployment.client(model="slow")
    first.wait_for_reply(first.post("Hello"), "completed")
    post = second.post("Hello")
    wait = second.wait_until_waiting(post, "rate_limited")
    assert 30 < wait["retry_at"] - deployment.now() <= 60
    assert deployment.calls(post.content) == []
    # A minute passes, but only for the limiter.
    deployment.redis.hincrbyfloat(keys.limiter("slow").limiter, "tat", -60_000)
    deployment.wake(second.session_id, times=1)
    assert second.wait_for_reply(post, "completed")["attempt"] == 1


def test_turn_is_retried_when_its_limiter_times_out(
    deployment: SharedDeployment,
) -> None:
    client = deployment.client(model="narrow")
    deployment.worker_redis_proxy.drop_response_to(read_script("acquire").sha, times=MAX_TRIES)
    post = client.post("Hello")
    reply = client.wait_for_reply(post, "completed")
    assert "Could not use the limiter of narrow" in deployment.worker.log
    assert reply["attempt"] == 1
    assert len(deployment.calls(post.content)) == 1


def test_cancelled_waiter_delays_no_one(deployment: SharedDeployment) -> None:
    """It would be woken, never ask again, and keep its place for half a minute."""
    *holders, cancelling, leaving, last = (deployment.client(model="narrow") for _ in range(6))
    held = [holder.post("Hello [[fault:endless rate=20]]") for holder in holders]
    for post in held:
        deployment.wait_for_call(post)
    post, _, waiting = [each.post("Hello") for each in (cancelling, leaving, last)]
    waiters = keys.limiter("narrow").waiters
    wait_until(lambda: deployment.redis.zcard(waiters) == 3, within=30)
    cancelling.cancel(post)
    leaving.delete()
    holders[0].cancel(held[0])
    last.wait_for_reply(waiting, "completed", within=20)
    for holder, running in zip(holders[1:], held[1:], strict=True):
        holder.cancel(running)


@pytest.mark.thorough
def test_failures_of_bad_prompts_open_no_circuit(
    deployment: SharedDeployment,
) -> None:
    *readers, unlucky, other = deployment.clients(7)
    troubles = [(reader, "html") for reader in readers] + [(unlucky, "500")] * 2
    posts = [(client, client.post(f"Hello [[fault:{fault}]]")) for client, fault in troubles]
    for client, post in posts:
        deployment.history.faults[post.content] = 3
        assert client.wait_for_reply(post, "failed")["attempt"] == 4
    # After 28 failed calls in a row; 5 of several sessions would open the circuit.
    assert "opened" not in str(deployment.redis.hget(keys.limiter("default").health, "model"))
    assert other.wait_for_reply(other.post("Hello"), "completed")["attempt"] == 1


@pytest.mark.thorough
def test_half_open_circuit_allows_one_call_until_it_answers(
    build_deployment: Callable[..., Deployment],
) -> None:
    deployment = build_deployment(
        circuit_failure_threshold=2, circuit_reset_timeout=0.5, max_attempts=1, sweep_interval=0.3
    ).start()
    *unlucky, tester, other = deployment.clients(4)
    for client in unlucky:
        client.wait_for_reply(client.post("Hello [[fault:500]]"), "failed")
    trial = tester.post(f"Hello [[fault:endless rate=20 latency={LEASE_TTL + 1.5}]]")
    deployment.wait_for_call(trial)
    waiting = other.post("Hello")
    other.wait_for_reply(waiting, "completed")
    assert tester.reply(trial)["status"] == "in_progress"
    (endless,), (short,) = deployment.calls(trial.content), deployment.calls(waiting.content)
    assert short["received_at"] >= endless["first_byte_at"]
    tester.cancel(trial)


@pytest.mark.thorough
def test_killed_trial_blocks_calls_only_for_its_lease(
    build_deployment: Callable[..., Deployment],
) -> None:
    deployment = build_deployment(
        circuit_failure_threshold=2, circuit_reset_timeout=0.5, max_attempts=1, sweep_interval=0.3
    ).start()
    *unlucky, tester, other = deployment.clients(4)
    for client in unlucky:
        client.wait_for_reply(client.post("Hello [[fault:500]]"), "failed")
    trial = tester.post("Hello [[fault:hang]]")
    deployment.wait_for_call(trial)
    deployment.worker.kill()
    deployment.history.faults[trial.content] = 1
    waiting = other.post("Hello")
    deployment.worker.start()
    tester.wait_for_reply(trial, "failed")
    assert other.wait_for_reply(waiting, "completed")["attempt"] == 1


def start_with_token_limit(build_stack: Callable[..., Stack], directory: Path) -> Stack:
    """Start a stack whose model has enough tokens per minute for one reply at a time."""
    stack = build_stack(env={"CHAT_RETRY_BACKOFF": "0.1"})
    file = directory / "models.toml"
    limits = "tokens_per_minute = 600\nmax_tokens = 250"
    file.write_text(LIMITED.format(url=stack.model.url, limits=limits))
    stack.env["CHAT_MODELS_FILE"] = str(file)
    return stack.start()


def start_with_budget(build_stack: Callable[..., Stack], tokens: int) -> Stack:
    """Start a stack whose sessions may use this number of tokens per hour."""
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


@pytest.mark.thorough
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
