"""Turns of one client whose model calls hang do not delay the turns of others."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.client import Client
from tests.acceptance.deployment import Deployment

# Half of the slots remain for others; a call that hangs ends after these seconds.
SLOTS, FIRST_EVENT = 4, 5
MODELS = """
[default]
provider = "openai"
url = "{url}/v1"
model = "fake-model"
{limits}

[default.timeouts]
first_event = {first_event}
"""
# The attack: sessions of one address, or of many in one /48, and the turns of each.
SESSIONS, TURNS = 12, 3
# Seconds from a post of another client to the start of its model call.
MAX_WAIT = 2.0


@pytest.fixture
def start(build_deployment: Callable[..., Deployment], tmp_path: Path) -> Callable[..., Deployment]:
    """Return a function that starts a deployment behind a proxy."""

    def start_with(limits: str, **settings: float) -> Deployment:
        deployment = build_deployment(trusted_proxies="127.0.0.1", max_attempts=2, **settings)
        file = tmp_path / "models.toml"
        url = deployment.stack.model.url
        file.write_text(MODELS.format(url=url, limits=limits, first_event=FIRST_EVENT))
        for process in (deployment.web, deployment.worker):
            deployment.reroute(process, CHAT_MODELS_FILE=str(file))
        return deployment.start()

    return start_with


def client_at(deployment: Deployment, address: str) -> Client:
    return Client(deployment.web.url, deployment.history, address=address).open()


def attack(deployment: Deployment, addresses: Callable[[int], str]) -> list[Client]:
    """Post turns whose calls hang, and wait until some do."""
    attackers = [client_at(deployment, addresses(number)) for number in range(SESSIONS)]
    posts = [each.post("[[fault:hang]]") for _ in range(TURNS) for each in attackers]
    deployment.wait_for_call(posts[0])
    return attackers


def waits_of_others(deployment: Deployment) -> list[float]:
    """Return how long turns of other clients waited for the model, in seconds."""
    clients = [client_at(deployment, f"203.0.113.{number}") for number in range(3)]
    waits = []
    for _ in range(4):
        posts = [(each, each.post("Hello")) for each in clients]
        for each, post in posts:
            reply = each.wait_for_reply(post, "completed")
            waits.append(reply["started_at"] - reply["created_at"])
    return waits


@pytest.mark.thorough
@pytest.mark.security("S46")
@pytest.mark.parametrize(
    "addresses", [lambda _: "198.51.100.7", lambda number: f"2001:db8:1:{number:x}::1"],
    ids=["one address", "one network"],
)  # fmt: skip
def test_hanging_turns_delay_no_other_address(
    start: Callable[..., Deployment], addresses: Callable[[int], str]
) -> None:
    deployment = start(f"concurrency = {SLOTS}")
    attackers = attack(deployment, addresses)
    waits = waits_of_others(deployment)
    for each in attackers:
        each.delete()
    assert max(waits) < MAX_WAIT, waits
