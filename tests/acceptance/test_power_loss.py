"""What Redis has not synced to the disk when the power fails, or not yet written when it dies."""

from collections.abc import Callable

import pytest

from tests.acceptance.client import Client
from tests.acceptance.history import Post
from tests.acceptance.kept import reader
from tests.acceptance.power import STRACE, Power, slow_down_disk
from tests.acceptance.scene import Scene
from tests.acceptance.test_doctor import doctor
from tests.acceptance.test_redis_trouble import Talkers
from tests.harness.wait import wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(STRACE is None, reason="needs strace: scripts/fault-tools"),
]


def lost_of(client: Client, posts: list[Post]) -> list[Post]:
    """Return the posts whose messages are gone."""
    found = {message["id"] for message in client.messages()}
    return [post for post in posts if post.message_id not in found]


@pytest.mark.fault("F13")
def test_a_kill_beside_a_slow_disk_loses_nothing_if_each_write_is_synced(
    scene: Callable[..., Scene],
) -> None:
    here = scene()
    slow_down_disk(here, appendfsync="always", seconds=0.1)
    here.start(workers=0)
    client = here.client()
    posts = [client.post("Are you there?") for _ in range(10)]
    here.stack.redis.kill()
    here.stack.redis.start()
    assert lost_of(client, posts) == []
    here.worker.start()


@pytest.mark.fault("F13")
def test_a_kill_beside_a_slow_disk_loses_what_redis_holds_back_if_it_syncs_each_second(
    scene: Callable[..., Scene],
) -> None:
    """The control: Redis answers for up to two seconds before it writes."""
    here = scene()
    slow_down_disk(here, appendfsync="everysec", seconds=3)
    here.start(workers=0)
    client = here.client()
    posts = [client.post("Are you there?") for _ in range(10)]
    here.stack.redis.kill()
    here.stack.redis.start()
    lost = lost_of(client, posts)
    assert lost
    for post in lost:
        here.history.posts.remove(post)
    here.worker.start()


@pytest.mark.fault("F13")
def test_the_doctor_warns_of_a_disk_for_which_redis_holds_back_what_it_writes(
    scene: Callable[..., Scene],
) -> None:
    here = scene()
    slow_down_disk(here, appendfsync="everysec", seconds=4)
    here.start(webs=0, workers=0)
    assert "its disk was slow" not in doctor(here.stack)[1]
    with reader(here.data_url) as redis:

        def has_held_back() -> bool:
            redis.set("written", "again", ex=60)
            return bool(redis.info("persistence")["aof_delayed_fsync"])

        wait_until(has_held_back, within=60, every=0.05)
    assert "warning  its disk was slow" in doctor(here.stack)[1]


@pytest.mark.fault("F14")
def test_a_power_cut_under_load_loses_no_message_if_each_write_is_synced(
    scene: Callable[..., Scene],
) -> None:
    here = scene()
    power = Power(here, appendfsync="always")
    here.start()
    talkers = Talkers(here, 10)
    talkers.post_more(30)
    power.cut()
    here.history.faults_everywhere = 1
    here.stack.redis.start()
    talkers.post_more(10)
    for client, post in talkers.stop():
        assert client.reply_in(post)["status"] == "completed"


@pytest.mark.fault("F14")
def test_a_power_cut_loses_what_was_accepted_in_the_last_second_if_only_that_is_synced(
    scene: Callable[..., Scene],
) -> None:
    """The control: the row above shows something."""
    here = scene()
    power = Power(here, appendfsync="everysec")
    here.start(workers=0)
    client = here.client()
    posts = [client.post("Are you there?") for _ in range(10)]
    assert power.cut() > 0
    here.stack.redis.start()
    lost = lost_of(client, posts)
    assert lost
    for post in lost:
        here.history.posts.remove(post)
    here.worker.start()
