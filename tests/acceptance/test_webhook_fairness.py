"""A webhook receiver that hangs does not delay the deliveries of others."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from time import time

import pytest

from tests.acceptance.client import Client
from tests.acceptance.deployment import Deployment
from tests.harness.wait import wait_until
from tests.harness.webhook_receiver import WebhookReceiver, hang

# The attack: sessions whose receiver never answers, and the turns of each.
SESSIONS, TURNS = 10, 20
TIMEOUT = 2.0  # seconds
# Seconds within which the healthy receiver must be called.
MAX_DELAY = 1.0


@pytest.fixture
def receivers() -> Iterator[tuple[WebhookReceiver, WebhookReceiver]]:
    """One that hangs, and a healthy one in another network."""
    with ExitStack() as stack:
        found = [stack.enter_context(WebhookReceiver(host)) for host in ("127.0.0.1", "127.0.1.1")]
        found[0].default_responder = hang
        yield found[0], found[1]


@pytest.mark.thorough
@pytest.mark.security("S52")
def test_hanging_receiver_delays_no_other_delivery(
    build_deployment: Callable[..., Deployment],
    receivers: tuple[WebhookReceiver, WebhookReceiver],
) -> None:
    hanging, healthy = receivers
    deployment = build_deployment(
        webhook_secrets="whsec_" + "A" * 32,
        webhook_allowed_networks="127.0.0.0/16",
        webhook_timeout=TIMEOUT,
        sweep_interval=0.2,
    ).start()
    attackers = [deployment.client(webhook_url=hanging.url) for _ in range(SESSIONS)]
    for attacker in attackers:
        for _ in range(TURNS):
            attacker.post("Hello")
    hanging.wait_for(1)
    other = deployment.client(webhook_url=healthy.url)
    delays = [delay(other, healthy) for _ in range(10)]
    assert max(delays) < MAX_DELAY, delays
    hanging.closing.set()


def delay(client: Client, receiver: WebhookReceiver) -> float:
    """Return the seconds between the end of a turn and its delivery."""
    count = len(receiver.calls) + 1
    reply = client.wait_for_reply(client.post("Hello"), "completed")
    wait_until(lambda: len(receiver.calls) >= count, within=60)
    return time() - float(reply["completed_at"])
