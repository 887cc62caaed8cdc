"""A budget under load, while workers are killed and replies cancelled."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Event, Thread

import pytest

from tests.acceptance.client import Client
from tests.acceptance.deployment import Deployment
from tests.acceptance.history import Post
from tests.acceptance.redis_state import connect
from tests.harness.concurrency import start_concurrently
from tests.harness.wait import wait_until

# Micro-units.
LIMIT = 1_000_000
# Micro-units per token of the prompt, and of the reply.
INPUT, OUTPUT = 10, 50
MODELS = """
[default]
provider = "openai"
url = "{url}/v1"
model = "fake-model"
max_tokens = 120
price = {{ input = 10.0, output = 50.0 }}
timeouts = {{ total = 15 }}
"""
CLIENTS = 50
# The rounds in which a worker is killed.
KILLS = {0, 1, 2}
BUDGET, TOTAL = "chat:{budgets}:deployment:day:", "chat:{budgets}:deployment:ever:"


class Sampler:
    """Reads the budget all the time, and keeps the largest values."""

    def __init__(self, url: str) -> None:
        self.max_sum = self.max_reserved = 0
        self._url = url
        self._stopping = Event()
        self._thread = Thread(target=self._run)

    def __enter__(self) -> "Sampler":
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        with connect(self._url) as redis:
            while not self._stopping.wait(0.02):
                spent, reserved = (int(it or 0) for it in redis.hmget(BUDGET, "spent", "reserved"))
                self.max_sum = max(self.max_sum, spent + reserved)
                self.max_reserved = max(self.max_reserved, reserved)


def budgeted(build_deployment: Callable[..., Deployment], directory: Path) -> Deployment:
    deployment = build_deployment(daily_budget=LIMIT / 1_000_000)
    file = directory / "models.toml"
    file.write_text(MODELS.format(url=deployment.stack.model.url))
    for process in (deployment.web, deployment.worker, deployment.stack.worker(1)):
        deployment.reroute(process, CHAT_MODELS_FILE=str(file))
    return deployment.start(workers=2)


def run_round(deployment: Deployment, clients: list[Client], number: int) -> list[Post]:
    """Let all clients post, cancel some of the replies, and perhaps kill a worker."""
    text = "Hello [[tokens=80 rate=80]]"
    posting = start_concurrently([partial(client.try_to_post, text) for client in clients])
    if number in KILLS:
        calls = "chat:{budgets}:reservations"
        wait_until(lambda: deployment.redis.hlen(calls) >= 8, within=20, every=0.01)
        worker = deployment.stack.worker(number % 2)
        worker.kill()
        worker.start()
    posts = [future.result() for future in posting]
    if number in KILLS:
        deployment.history.faults.update(post.content for post in posts)
    for client, post in zip(clients[::7], posts[::7], strict=True):
        if post.is_accepted:
            client.cancel(post)
    deployment.wait_until_idle()
    return posts


def statuses_of(deployment: Deployment, posts: list[Post]) -> set[str]:
    """Return how the turns of these posts have ended."""
    state = deployment.redis_state()
    return {
        state.replies(post.session_id)[post.reply_id]["status"]
        for post in posts
        if post.is_accepted
    }


def use_up(deployment: Deployment) -> Post:
    """Spend the rest, which is too little for sessions with a history; return the refused post."""
    for _ in range(50):
        client = deployment.client()
        post = client.try_to_post("Hello [[tokens=80]]")
        if not post.is_accepted:
            return post
        if client.wait_for_reply(post)["status"] == "failed":
            client.try_to_post("Hello [[tokens=80]]", options={"max_tokens": 20})
            deployment.sleep(0.3)  # web processes ask once a second
    raise AssertionError("the budget was never exceeded")


def counted_cost(deployment: Deployment) -> int:
    """Return the cost of the tokens that the metrics have counted."""
    cost = 0
    for key in deployment.redis.scan_iter("chat:{*}:counters"):
        counters = deployment.redis.hgetall(key)
        cost += INPUT * int(counters.get('tokens:prompt:"default"', 0))
        cost += OUTPUT * int(counters.get('tokens:completion:"default"', 0))
    return cost


@pytest.mark.thorough
@pytest.mark.security("S51")
def test_50_clients_and_killed_workers_never_exceed_a_budget(
    build_deployment: Callable[..., Deployment], tmp_path: Path
) -> None:
    deployment = budgeted(build_deployment, tmp_path)
    clients = deployment.clients(CLIENTS)
    with Sampler(deployment.data_url) as sampler:
        for number in range(20):
            posts = run_round(deployment, clients, number)
            statuses = statuses_of(deployment, posts)
            if not statuses & {"completed", "cancelled"}:
                break
        refused = use_up(deployment).response
        deployment.wait_until_idle()
    wait_until(lambda: not deployment.redis.exists("chat:{budgets}:reservations"), within=60)

    assert (refused.status, refused.body["error"]["code"]) == (429, "budget_exceeded")
    assert "daily budget of this service is used up until" in refused.body["detail"]
    spent, reserved, lost = (
        int(it) for it in deployment.redis.hmget(BUDGET, "spent", "reserved", "lost")
    )
    assert sampler.max_sum <= LIMIT
    assert LIMIT - 7_000 < spent <= LIMIT
    assert reserved == 0
    assert counted_cost(deployment) == spent - lost
    assert spent == int(deployment.redis.hget(TOTAL, "spent"))
    # Calls that were lost before any text: at most those of each killed worker.
    assert lost <= len(KILLS) * CLIENTS * 100 * INPUT
    failed = [
        message["error"]["code"]
        for messages in deployment.redis_state().messages.values()
        for message in messages.values()
        if message["status"] == "failed"
    ]
    assert set(failed) <= {"budget_exceeded"}
