"""RabbitMQ as the broker. The tests share its node, because starting one takes seconds."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from kombu import Connection, Queue

from chat.broker import QUEUE, WAKE_UP
from tests.acceptance.conftest import DEPLOYMENTS
from tests.acceptance.deployment import MODEL_OPTIONS, SETTINGS, Deployment
from tests.acceptance.doctor import doctor
from tests.harness.processes import Process
from tests.harness.rabbitmq import add_rabbitmq, needs_rabbitmq
from tests.harness.stack import Stack
from tests.harness.wait import wait_until

pytestmark = [needs_rabbitmq, pytest.mark.fault("F33"), pytest.mark.timeout(240)]

CONCURRENCY = 4
# The default. A shorter one would repeat wake-ups while tests count them.
WAKE_GRACE = 2.0
OWN_SETTINGS = {
    "CHAT_WORKER_CONCURRENCY": str(CONCURRENCY),
    "CHAT_WAKE_GRACE": str(WAKE_GRACE),
}
SLOW = "Tell me [[tokens=40 rate=20]]"


class RabbitMQDeployment(Deployment):
    """A deployment whose broker is a RabbitMQ node."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack)
        self.rabbitmq: Process = add_rabbitmq(stack)
        # Kombu alone passes the number on as text, and the worker restarts forever.
        stack.env["BROKER_URL"] = f"{self.rabbitmq.url}?connect_timeout=3&heartbeat=5"

    @contextmanager
    def channel(self) -> Iterator[Any]:
        with Connection(self.rabbitmq.url) as connection:
            yield connection.default_channel

    def queue_length(self) -> int:
        """Return the number of wake-ups that no worker has received."""
        with self.channel() as channel:
            return int(channel.queue_declare(QUEUE, passive=True).message_count)

    def replace_queue(self, **arguments: str) -> None:
        """Declare the queue again with these arguments. No worker may be running."""
        with self.channel() as channel:
            Queue(QUEUE).bind(channel).delete()
            Queue(QUEUE, queue_arguments=arguments or None).bind(channel).queue_declare()


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQDeployment]:
    stack = Stack(
        tmp_path_factory.mktemp("rabbitmq"),
        appendonly=True,
        env=SETTINGS | OWN_SETTINGS,
        model_options=MODEL_OPTIONS,
    )
    deployment = RabbitMQDeployment(stack)
    try:
        deployment.rabbitmq.start()
        deployment.start()
        yield deployment
    finally:
        deployment.close()
        stack.shut_down()


@pytest.fixture
def deployment(started: RabbitMQDeployment, request: pytest.FixtureRequest) -> RabbitMQDeployment:
    """The shared deployment, with one running worker."""
    request.node.stash[DEPLOYMENTS] = [started]
    for process in (started.rabbitmq, started.worker):
        if not process.is_running:
            process.start()
    return started


def answer_messages(deployment: Deployment, number: int, *, within: float = 30.0) -> None:
    """Post messages in as many sessions; wait until all are answered at the first attempt."""
    clients = deployment.clients(number)
    posts = [client.post("Hello") for client in clients]
    for client, post in zip(clients, posts, strict=True):
        assert client.wait_for_reply(post, "completed", within=within)["attempt"] == 1


def test_twenty_messages_are_answered_and_doctor_agrees(deployment: RabbitMQDeployment) -> None:
    answer_messages(deployment, 20)
    wait_until(lambda: "1 workers alive" in doctor(deployment.stack)[1], within=30)
    code, output = doctor(deployment.stack)
    assert code == 0, output
    assert " answered a ping in " in output
    assert deployment.queue_length() == 0


def test_full_worker_leaves_wake_ups_in_the_queue(deployment: RabbitMQDeployment) -> None:
    clients = deployment.clients(2 * CONCURRENCY)
    posts = [client.post(SLOW) for client in clients]
    deployment.wait_for_streams(CONCURRENCY)
    assert deployment.queue_length() == CONCURRENCY
    for client, post in zip(clients, posts, strict=True):
        client.wait_for_reply(post, "completed")


@pytest.mark.thorough
def test_idle_worker_notices_a_stop_signal_at_once(deployment: RabbitMQDeployment) -> None:
    deployment.sleep(1)
    started = time.monotonic()
    deployment.worker.signal(signal.SIGTERM)
    wait_until(lambda: not deployment.worker.is_running)
    # Without timers, kombu waits for RabbitMQ's next heartbeat, 5 s.
    assert time.monotonic() - started < 3
    assert deployment.worker.exit_code == 0


WAKE_UP_HEADERS = {"task": WAKE_UP, "id": "none", "root_id": "none", "lang": "py"}
# Body, content type, and headers.
MALFORMED: list[tuple[bytes, str, dict[str, Any]]] = [
    (b"no JSON", "application/json", WAKE_UP_HEADERS),
    (b"\xff\xfe", "application/json", WAKE_UP_HEADERS),
    (b"cos\nsystem\n(S'false'\ntR.", "application/x-python-serialize", WAKE_UP_HEADERS),
    (b"[[], {}, {}]", "application/json", WAKE_UP_HEADERS),
    (b'[[], {"session_id": null}, {}]', "application/json", WAKE_UP_HEADERS),
    (b"5", "application/json", WAKE_UP_HEADERS),
    (b"[[], {}, {}]", "application/json", WAKE_UP_HEADERS | {"task": "unknown"}),
    (b"[[], {}, {}]", "application/json", {"task": "unknown"}),
    (b"{}", "application/json", {}),
    (b"text", "text/plain", {}),
    (b"", "application/json", {"task": {"a": [1]}}),
]


def test_malformed_messages_are_dropped_and_the_worker_goes_on(
    deployment: RabbitMQDeployment,
) -> None:
    with deployment.channel() as channel:
        for body, content_type, headers in MALFORMED * 2:
            message = channel.prepare_message(body, content_type=content_type, headers=headers)
            message.properties["content_encoding"] = "utf-8"
            channel.basic_publish(message, exchange="", routing_key=QUEUE)
    answer_messages(deployment, 2 * CONCURRENCY)
    assert deployment.worker.is_running
    assert deployment.queue_length() == 0
    # A message that is not acknowledged would come back now.
    assert deployment.worker.stop() == 0
    assert deployment.queue_length() == 0


@pytest.mark.thorough
def test_queue_of_another_type_is_reported_by_worker_and_doctor(
    deployment: RabbitMQDeployment,
) -> None:
    second = deployment.stack.worker(1)
    deployment.reroute(second, CHAT_BROKER_QUEUE_TYPE="quorum")
    second.launch()
    wait_until(lambda: not second.is_running, within=30)
    expected = (
        "CHAT_BROKER_QUEUE_TYPE: the broker has the queue 'chat' with another type"
        " (inequivalent arg 'x-queue-type' for queue 'chat' in vhost '/': received the value"
        " 'quorum' of type 'longstr' but current is none). Set the type that it has, or stop"
        " the workers and delete it: rabbitmqctl delete_queue chat"
    )
    assert second.log_of_this_start.splitlines()[-1] == f"Parley cannot start: {expected}"
    code, output = doctor(deployment.stack, CHAT_BROKER_QUEUE_TYPE="quorum")
    assert code == 1
    assert f"error    {expected}\n" in output
    answer_messages(deployment, 1)


@pytest.mark.thorough
def test_doctor_without_an_answer_says_what_failed(deployment: RabbitMQDeployment) -> None:
    code, output = doctor(deployment.stack, BROKER_URL=deployment.stack.redis.url)
    assert code == 1
    assert "error    the broker accepted a ping, but no worker answered within 5 s\n" in output
    deployment.redis.delete(QUEUE)

    deployment.worker.stop()
    output = doctor(deployment.stack)[1]
    assert "0 workers alive" in output
    assert "the broker returned a ping from a temporary queue" in output

    url = deployment.rabbitmq.url.replace("//127", "//guest:wrong-password@127")
    output = doctor(deployment.stack, BROKER_URL=url)[1]
    assert "error    the broker cannot be reached: " in output
    assert "ACCESS_REFUSED" in output
    assert "wrong-password" not in output


@pytest.mark.thorough
def test_quorum_queue_carries_wake_ups(deployment: RabbitMQDeployment) -> None:
    deployment.worker.stop()
    deployment.replace_queue(**{"x-queue-type": "quorum"})
    worker = deployment.stack.worker(2)
    deployment.reroute(worker, CHAT_BROKER_QUEUE_TYPE="quorum")
    worker.start()
    try:
        answer_messages(deployment, 20)
        test_full_worker_leaves_wake_ups_in_the_queue(deployment)
    finally:
        assert worker.stop() == 0
        deployment.replace_queue()


@pytest.mark.slow
def test_turns_survive_twelve_seconds_without_rabbitmq(deployment: RabbitMQDeployment) -> None:
    clients = deployment.clients(5)
    posts = [client.post("Tell me [[tokens=40 rate=2.5]]") for client in clients[:3]]
    deployment.wait_for_streams(3)
    log_size = len(deployment.worker.log)
    deployment.rabbitmq.kill()
    killed_at = deployment.now()
    for seconds in range(0, 12, 3):
        deployment.wait_for_time(killed_at + seconds)
        posts += [client.post("And then?") for client in clients]
    assert max(post.response.seconds for post in posts) < 1
    assert "the broker cannot be reached: [Errno 111]" in doctor(deployment.stack)[1]

    deployment.wait_for_time(killed_at + 12)
    deployment.rabbitmq.start()
    returned_at = deployment.now()
    pairs = zip(clients[:3] + clients * 4, posts, strict=True)
    replies = [client.wait_for_reply(post, "completed") for client, post in pairs]
    last = max(reply["completed_at"] for reply in replies) - returned_at
    print(f"the last of {len(posts)} replies came {last:.1f} s after RabbitMQ's return")  # noqa: T201
    assert last < 10
    assert {reply["attempt"] for reply in replies} == {1}
    answer_messages(deployment, 20)
    assert "CRITICAL" not in deployment.worker.log[log_size:]


@pytest.mark.slow
def test_frozen_rabbitmq_delays_no_response(deployment: RabbitMQDeployment) -> None:
    client = deployment.client()
    client.wait_for_reply(client.post("Hello"), "completed")
    deployment.rabbitmq.freeze()
    frozen_at = deployment.now()
    posts = []
    for seconds in range(0, 20, 4):
        deployment.wait_for_time(frozen_at + seconds)
        posts.append(client.post("Are you there?"))
    assert max(post.response.seconds for post in posts) < 1
    assert "the broker cannot be reached" in doctor(deployment.stack)[1]

    deployment.rabbitmq.thaw()
    thawed_at = deployment.now()
    last = max(client.wait_for_reply(post, "completed")["completed_at"] for post in posts)
    print(f"the last of {len(posts)} replies came {last - thawed_at:.1f} s after the thaw")  # noqa: T201
    assert last < thawed_at + 10


@pytest.mark.slow
def test_worker_stops_while_rabbitmq_is_frozen(deployment: RabbitMQDeployment) -> None:
    clients = deployment.clients(3)
    posts = [client.post("Tell me [[tokens=20 rate=10]]") for client in clients]
    deployment.wait_for_streams(3)
    deployment.rabbitmq.freeze()
    assert deployment.worker.stop(within=10) == 0
    deployment.rabbitmq.thaw()
    deployment.worker.start()
    for client, post in zip(clients, posts, strict=True):
        assert client.wait_for_reply(post, "completed")["attempt"] == 1
