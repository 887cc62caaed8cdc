"""The machine of Redis loses its power: what was not synced to the disk is gone."""

from collections.abc import Callable

import pytest

from tests.acceptance.power import STRACE, Power
from tests.acceptance.scene import Scene
from tests.acceptance.test_redis_trouble import Talkers

pytestmark = [
    pytest.mark.fault("F14"),
    pytest.mark.skipif(STRACE is None, reason="needs strace: scripts/fault-tools"),
]


@pytest.mark.slow
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


@pytest.mark.slow
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
    found = {message["id"] for message in client.messages()}
    lost = [post for post in posts if post.message_id not in found]
    assert lost
    for post in lost:
        here.history.posts.remove(post)
    here.worker.start()
