"""Webhooks, from the post to the receiver, with real workers that are killed."""

from collections.abc import Iterator
from typing import Any

import pytest
from standardwebhooks import Webhook

from tests.acceptance.conftest import DEPLOYMENTS
from tests.acceptance.deployment import MODEL_OPTIONS, SETTINGS, Deployment
from tests.harness.stack import Stack
from tests.harness.wait import wait_until
from tests.harness.webhook_receiver import WebhookReceiver, hang, respond

SECRETS = ("whsec_" + "A" * 32, "whsec_" + "B" * 32)
WEBHOOKS: dict[str, Any] = {
    "webhook_secrets": ",".join(SECRETS),
    "webhook_allowed_networks": "127.0.0.1/32",
    "webhook_timeout": 2,
    "webhook_backoff": 0.1,
    "sweep_interval": 0.2,
}


@pytest.fixture(scope="module")
def webhook_setup(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Deployment, WebhookReceiver]]:
    """A deployment with a webhook, shared because starting one takes longer than these tests."""
    with WebhookReceiver() as receiver:
        own = {f"CHAT_{name.upper()}": str(value) for name, value in WEBHOOKS.items()}
        env = SETTINGS | own | {"CHAT_WEBHOOK_URL": receiver.url + "/all"}
        stack = Stack(
            tmp_path_factory.mktemp("webhooks"),
            appendonly=True,
            env=env,
            model_options=MODEL_OPTIONS,
        )
        deployment = Deployment(stack)
        try:
            yield deployment.start(), receiver
        finally:
            deployment.close()
            stack.shut_down()


@pytest.fixture
def deployment(
    webhook_setup: tuple[Deployment, WebhookReceiver], request: pytest.FixtureRequest
) -> Deployment:
    request.node.stash[DEPLOYMENTS] = [webhook_setup[0]]
    return webhook_setup[0]


@pytest.fixture
def receiver(webhook_setup: tuple[Deployment, WebhookReceiver]) -> WebhookReceiver:
    """In its initial state."""
    receiver = webhook_setup[1]
    receiver.calls, receiver.responders, receiver.default_responder = [], [], respond(204)
    receiver.closing.clear()
    return receiver


def is_delivered(deployment: Deployment) -> bool:
    return not list(deployment.redis.scan_iter("chat:{*}:outbox"))


def test_reply_is_delivered_by_a_signed_call(
    deployment: Deployment, receiver: WebhookReceiver
) -> None:
    own, other = deployment.client(), deployment.client(webhook_url=receiver.url + "/other")
    for client, url in ((own, receiver.url + "/own"), (other, None)):
        changed = client.call("PATCH", f"/sessions/{client.session_id}", {"webhook_url": url})
        assert changed.body["webhook_url"] == url
    reply = own.wait_for_reply(own.post("Hello"), "completed")
    other.wait_for_reply(other.post("Hello"), "completed")
    calls = receiver.wait_for(2)
    first = next(call for call in calls if call.path == "/own")
    assert {call.path for call in calls if call.id != first.id} == {"/all"}
    for secret in SECRETS:
        assert Webhook(secret).verify(first.body, first.headers) == first.event
    assert first.event == deployment.redis_state().events[own.session_id][-1]
    assert first.event["message"] == reply
    assert first.id == f"{own.session_id}_{reply['id']}"
    wait_until(lambda: is_delivered(deployment))


@pytest.mark.thorough
def test_failed_delivery_is_retried(deployment: Deployment, receiver: WebhookReceiver) -> None:
    receiver.responders = [respond(500), respond(302, Location=receiver.url + "/elsewhere"), hang]
    client = deployment.client()
    client.wait_for_reply(client.post("Hello"), "completed")
    calls = receiver.wait_for(4)
    assert {call.id for call in calls} == {f"{client.session_id}_msg_2"}
    assert {call.path for call in calls} == {"/all"}
    wait_until(lambda: is_delivered(deployment))


def test_delivery_of_a_killed_worker_is_retried(
    deployment: Deployment, receiver: WebhookReceiver
) -> None:
    receiver.responders = [hang]
    client = deployment.client()
    client.wait_for_reply(client.post("Hello"), "completed")
    receiver.wait_for(1)
    deployment.worker.kill()
    assert not is_delivered(deployment)
    deployment.worker.start()
    first, second = receiver.wait_for(2)[:2]
    assert (first.id, first.body) == (second.id, second.body)
    wait_until(lambda: is_delivered(deployment))


def test_delivery_outlives_its_session(deployment: Deployment, receiver: WebhookReceiver) -> None:
    receiver.default_responder = respond(503)
    client = deployment.client(ttl=1)
    client.wait_for_reply(client.post("Hello"), "completed")
    key = f"chat:{{*}}:session:{client.session_id}"
    wait_until(lambda: not list(deployment.redis.scan_iter(key)), within=30)
    deployment.history.ended_sessions.add(client.session_id)
    assert not is_delivered(deployment)
    before = len(receiver.calls)
    receiver.default_responder = respond(200)
    last = receiver.wait_for(before + 1)[-1]
    assert last.event["message"]["content"].startswith("echo: ")
    wait_until(lambda: is_delivered(deployment))
