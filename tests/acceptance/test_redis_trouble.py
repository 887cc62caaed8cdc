"""A Redis that dies, freezes, forgets its scripts, loads, takes no writes, or has no room."""

from collections.abc import Callable
from functools import partial
from itertools import count
from statistics import median
from threading import Event

import pytest

from chat.store.scripts import read_script
from tests.acceptance.client import Client
from tests.acceptance.history import Post
from tests.acceptance.scene import GRACE, Scene
from tests.acceptance.usual import Usual
from tests.harness.concurrency import run_concurrently, start_concurrently
from tests.harness.wait import wait_until

STORE_TIMEOUT = 1.5
"""Seconds; the default."""
NOWHERE = ("127.0.0.1", 1)
"""Where no Redis is."""


@pytest.mark.fault("F03")
def test_a_finish_whose_answer_is_lost_is_sent_again_and_changes_nothing(here: Usual) -> None:
    client = here.client()
    client.reply_in(client.post("So that Redis knows the scripts"), "completed")
    here.redis.config_set("slowlog-log-slower-than", 0)
    here.redis.config_set("slowlog-max-len", 10_000)

    finish = read_script("finish").sha
    here.worker_link.drop_response_to(finish)
    posts = [client.post("Hello"), client.post("And then?")]
    assert here.worker_link.triggered.wait(20)
    replies = [client.reply_in(post, "completed") for post in posts]

    sent = [call["command"].decode() for call in here.redis.slowlog_get(10_000)]
    again = [command for command in sent if finish in command and client.session_id in command]
    here.redis.config_set("slowlog-log-slower-than", 10_000)
    assert len(again) == 3
    assert [reply["attempt"] for reply in replies] == [1, 1]
    # The lost answer said that a turn waits; the sweep knows as well.
    assert replies[1]["started_at"] < replies[0]["completed_at"] + GRACE + 2


class Talkers:
    """Clients that post one message after the other, each until it is taken, until told to stop."""

    def __init__(self, here: Scene, number: int) -> None:
        self.posts: list[tuple[Client, Post]] = []
        self._stopping = Event()
        clients = here.clients(number)
        self._talks = start_concurrently([partial(self._talk, client) for client in clients])

    def post_more(self, number: int) -> None:
        """Return once so many more messages have been accepted."""
        enough = len(self.posts) + number
        wait_until(lambda: len(self.posts) >= enough, within=60)

    def stop(self) -> list[tuple[Client, Post]]:
        """Let each end its sentence; return what was accepted."""
        self._stopping.set()
        for talk in self._talks:
            talk.result()
        return self.posts

    def _talk(self, client: Client) -> None:
        for number in count():
            if self._stopping.is_set():
                return
            post = client.try_to_post(f"Hello {number} [[latency=0.1]]")
            post = post if post.is_accepted else client.insist(post, within=60)
            self.posts.append((client, post))
            client.reply_in(post, within=60)


@pytest.mark.fault("F13")
def test_ten_kills_of_redis_under_load_lose_and_double_nothing(here: Usual) -> None:
    talkers = Talkers(here, 10)
    for _ in range(10):
        talkers.post_more(10)
        here.stack.redis.kill()
        here.stack.redis.start()
    posts = talkers.stop()
    here.history.faults_everywhere = 1
    for client, post in posts:
        assert client.reply(post)["status"] == "completed"


@pytest.mark.fault("F15")
def test_a_frozen_redis_is_told_within_two_seconds_and_nothing_is_taken_twice(here: Usual) -> None:
    clients = here.clients(50)
    for client in clients[:5]:
        client.reply_in(client.post("Hello"), "completed")
    running = clients[0].post("Tell me [[tokens=40 rate=10]]")
    clients[0].said(running)
    reads = run_concurrently(
        [partial(client.call, "GET", f"/sessions/{client.session_id}") for client in clients]
    )
    busy = max(read.seconds for read in reads)  # what so many at once take this machine anyway

    here.stack.redis.freeze()
    posts = run_concurrently([partial(client.try_to_post, "Are you there?") for client in clients])
    assert {post.answer.status for post in posts} == {503}
    assert median(post.answer.seconds for post in posts) < 2 + busy
    # Nobody waits for one thread's timeout after another's.
    assert max(post.answer.seconds for post in posts) < 2 * STORE_TIMEOUT - 0.5 + busy
    here.stack.redis.thaw()

    for client, post in zip(clients, posts, strict=True):
        client.reply_in(client.insist(post), "completed")
    assert clients[0].reply_in(running, "completed")["attempt"] <= 2
    here.history.faults[running.content] = 1


@pytest.mark.fault("F16")
def test_a_redis_that_forgets_its_scripts_is_taught_them_again(here: Usual) -> None:
    talkers = Talkers(here, 5)
    for _ in range(10):
        talkers.post_more(3)
        here.redis.script_flush()
    talkers.stop()
    assert {answer.status for answer in here.history.answers} <= {200, 201, 202}


@pytest.mark.fault("F16")
def test_a_redis_that_takes_no_writes_refuses_messages_and_goes_on_by_itself(here: Usual) -> None:
    client = here.client()
    running = client.post("Tell me [[tokens=30 rate=10]]")
    client.said(running)

    here.redis.replicaof(*NOWHERE)
    refused = client.try_to_post("Are you there?")
    assert refused.answer.status == 503
    assert client.messages(), "reading goes on"
    here.redis.replicaof("NO", "ONE")

    assert client.reply_in(running, "completed")["attempt"] == 1
    client.reply_in(client.insist(refused), "completed")


@pytest.mark.fault("F16")
def test_a_redis_that_loads_its_data_is_waited_for(scene: Callable[..., Scene]) -> None:
    here = scene().start()
    client = here.client()
    client.reply_in(client.post("Hello"), "completed")
    load = here.redis.pipeline(transaction=False)
    for number in range(20_000):
        load.set(f"ballast:{number}", number, ex=3600)
    load.execute()
    here.rewrite_aof()

    here.stack.redis.kill()
    here.slow_loading(microseconds=500)
    here.stack.redis.launch()
    wait_until(here.is_loading)
    refused = client.try_to_post("Are you there?")
    assert refused.answer.status == 503
    assert refused.answer.seconds < 2
    here.redis.config_set("key-load-delay", 0)
    client.reply_in(client.insist(refused), "completed")


@pytest.mark.fault("F17")
def test_a_full_redis_refuses_messages_and_running_replies_still_land(here: Usual) -> None:
    clients = here.clients(5)
    posts = [client.post("Tell me [[tokens=20 rate=10]]") for client in clients]
    queued = [client.post("And then?") for client in clients]
    here.wait_for_streams(5)

    here.redis.config_set("maxmemory", 1)
    refused = [client.try_to_post("Are you there?") for client in clients]
    assert {post.answer.status for post in refused} == {503}
    assert {post.answer.body["error"]["code"] for post in refused} == {"store_full"}
    for client, post in zip(clients, posts, strict=True):
        assert client.reply_in(post, "completed")["attempt"] == 1
    here.redis.config_set("maxmemory", 0)
    for client, post in zip(clients * 2, queued + refused, strict=True):
        assert client.reply_in(client.insist(post), "completed")["attempt"] == 1


@pytest.mark.fault("F30")
def test_a_redis_without_connections_to_spare_is_a_503_and_recovers(here: Usual) -> None:
    client = here.client()
    client.reply_in(client.post("Hello"), "completed")
    here.redis.config_set("maxclients", 1)
    here.redis.client_kill_filter(_type="normal", skipme=True)

    refused = [client.try_to_post("Are you there?") for _ in range(3)]
    assert {post.answer.status for post in refused} == {503}
    here.redis.config_set("maxclients", 1000)
    for post in refused:
        client.reply_in(client.insist(post), "completed")


@pytest.mark.fault("F19")
def test_a_log_of_redis_that_lost_its_tail_is_started_from_and_all_converges(
    scene: Callable[..., Scene],
) -> None:
    here = scene().start(workers=0)
    client = here.client()
    kept, lost = client.post("Hello"), client.post("And then?")
    here.stack.redis.kill()
    here.cut_aof(bytes_off=10)
    here.stack.redis.start()

    assert len(client.messages()) == 2, "the cut took one whole act"
    assert client.insist(lost).message_id == lost.message_id
    here.worker.start()
    for post in (kept, lost):
        client.reply_in(post, "completed")
