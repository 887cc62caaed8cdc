"""Webhooks, from the post to the receiver, with real workers that may be lost."""

from collections.abc import Iterator
from typing import Any

import pytest
from standardwebhooks import Webhook

from tests.acceptance.conftest import SCENES
from tests.acceptance.scene import KNOBS, MODEL, Scene
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
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Scene, WebhookReceiver]]:
    """A scene whose deployment has a webhook; starting one takes longer than these tests."""
    with WebhookReceiver() as receiver:
        own = {f"CHAT_{name.upper()}": str(value) for name, value in WEBHOOKS.items()}
        env = KNOBS | own | {"CHAT_WEBHOOK_URL": receiver.url + "/all"}
        stack = Stack(
            tmp_path_factory.mktemp("told"), appendonly=True, env=env, model_options=MODEL
        )
        told = Scene(stack)
        try:
            yield told.start(), receiver
        finally:
            told.end()
            stack.shut_down()


@pytest.fixture
def told(started: tuple[Scene, WebhookReceiver], request: pytest.FixtureRequest) -> Scene:
    scene = started[0]
    request.node.stash[SCENES] = [scene]
    return scene


@pytest.fixture
def receiver(started: tuple[Scene, WebhookReceiver]) -> WebhookReceiver:
    """As if it had never been called."""
    receiver = started[1]
    receiver.calls, receiver.responders, receiver.default_responder = [], [], respond(204)
    receiver.closing.clear()
    return receiver


def is_delivered(scene: Scene) -> bool:
    return not list(scene.redis.scan_iter("chat:{*}:outbox"))


def test_a_webhook_is_told_of_a_reply_by_a_signed_call(
    told: Scene, receiver: WebhookReceiver
) -> None:
    own, other = told.client(), told.client(webhook_url=receiver.url + "/other")
    for client, url in ((own, receiver.url + "/own"), (other, None)):
        changed = client.call("PATCH", f"/sessions/{client.session_id}", {"webhook_url": url})
        assert changed.body["webhook_url"] == url
    reply = own.reply_in(own.post("Hello"), "completed")
    other.reply_in(other.post("Hello"), "completed")
    calls = receiver.wait_for(2)
    first = next(call for call in calls if call.path == "/own")
    assert {call.path for call in calls if call.id != first.id} == {"/all"}
    for secret in SECRETS:
        assert Webhook(secret).verify(first.body, first.headers) == first.event
    assert first.event == told.kept().events[own.session_id][-1]
    assert first.event["message"] == reply
    assert first.id == f"{own.session_id}_{reply['id']}"
    wait_until(lambda: is_delivered(told))


def test_what_was_not_taken_is_sent_again_until_it_is(
    told: Scene, receiver: WebhookReceiver
) -> None:
    receiver.responders = [respond(500), respond(302, Location=receiver.url + "/elsewhere"), hang]
    client = told.client()
    client.reply_in(client.post("Hello"), "completed")
    calls = receiver.wait_for(4)
    assert {call.id for call in calls} == {f"{client.session_id}_msg_2"}
    assert {call.path for call in calls} == {"/all"}
    wait_until(lambda: is_delivered(told))


def test_a_worker_killed_in_the_middle_of_a_delivery_is_made_good(
    told: Scene, receiver: WebhookReceiver
) -> None:
    receiver.responders = [hang]
    client = told.client()
    client.reply_in(client.post("Hello"), "completed")
    receiver.wait_for(1)
    told.worker.kill()
    assert not is_delivered(told)
    told.worker.start()
    first, second = receiver.wait_for(2)[:2]
    assert (first.id, first.body) == (second.id, second.body)
    wait_until(lambda: is_delivered(told))


def test_what_nobody_could_send_is_sent_when_the_session_has_ended(
    told: Scene, receiver: WebhookReceiver
) -> None:
    receiver.default_responder = respond(503)
    client = told.client(ttl=1)
    client.reply_in(client.post("Hello"), "completed")
    key = f"chat:{{*}}:session:{client.session_id}"
    wait_until(lambda: not list(told.redis.scan_iter(key)), within=30)
    told.history.ended.add(client.session_id)
    assert not is_delivered(told)
    before = len(receiver.calls)
    receiver.default_responder = respond(200)
    last = receiver.wait_for(before + 1)[-1]
    assert last.event["message"]["content"].startswith("echo: ")
    wait_until(lambda: is_delivered(told))
