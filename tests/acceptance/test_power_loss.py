"""Data that Redis has not synced when the power fails, or not written when it is killed."""

from collections.abc import Callable

import pytest

from tests.acceptance.deployment import Deployment
from tests.acceptance.doctor import doctor
from tests.acceptance.history import Post
from tests.acceptance.load import LoadGenerator
from tests.acceptance.power_loss import STRACE, PowerSupply, slow_down_disk
from tests.acceptance.redis_state import connect
from tests.harness.wait import wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(STRACE is None, reason="needs strace: scripts/fault-tools"),
]


def lost_posts(deployment: Deployment, fail: Callable[[], object]) -> list[Post]:
    """Post messages, let Redis fail and restart; return the posts whose messages are lost."""
    client = deployment.client()
    posts = [client.post("Are you there?") for _ in range(10)]
    fail()
    deployment.stack.redis.start()
    stored = {message["id"] for message in client.messages()}
    lost = [post for post in posts if post.message_id not in stored]
    for post in lost:
        deployment.history.posts.remove(post)
    deployment.worker.start()
    return lost


@pytest.mark.fault("F13")
def test_kill_with_a_slow_disk_loses_nothing_with_always(
    build_deployment: Callable[..., Deployment],
) -> None:
    deployment = build_deployment()
    slow_down_disk(deployment, appendfsync="always", seconds=0.1)
    deployment.start(workers=0)
    assert lost_posts(deployment, deployment.stack.redis.kill) == []


@pytest.mark.fault("F13")
def test_kill_with_a_slow_disk_loses_data_with_everysec(
    build_deployment: Callable[..., Deployment],
) -> None:
    """The control of the test above: Redis responds up to two seconds before it writes."""
    deployment = build_deployment()
    slow_down_disk(deployment, appendfsync="everysec", seconds=3)
    deployment.start(workers=0)
    assert lost_posts(deployment, deployment.stack.redis.kill)


@pytest.mark.fault("F13")
def test_doctor_warns_of_a_slow_disk(
    build_deployment: Callable[..., Deployment],
) -> None:
    deployment = build_deployment()
    slow_down_disk(deployment, appendfsync="everysec", seconds=4)
    deployment.start(webs=0, workers=0)
    assert "slow disk" not in doctor(deployment.stack)[1]
    with connect(deployment.data_url) as redis:

        def has_delayed_fsync() -> bool:
            redis.set("written", "repeatedly", ex=60)
            return bool(redis.info("persistence")["aof_delayed_fsync"])

        wait_until(has_delayed_fsync, within=60, every=0.05)
    assert "warning  slow disk" in doctor(deployment.stack)[1]


@pytest.mark.fault("F14")
def test_power_loss_under_load_loses_nothing_with_always(
    build_deployment: Callable[..., Deployment],
) -> None:
    deployment = build_deployment()
    power_supply = PowerSupply(deployment, appendfsync="always")
    deployment.start()
    load = LoadGenerator(deployment.clients(10))
    load.wait_for_posts(30)
    power_supply.cut()
    deployment.history.global_faults = 1
    deployment.stack.redis.start()
    load.wait_for_posts(10)
    for client, post in load.stop():
        assert client.wait_for_reply(post)["status"] == "completed"


@pytest.mark.fault("F14")
def test_power_loss_loses_data_with_everysec(
    build_deployment: Callable[..., Deployment],
) -> None:
    """The control of the test above."""
    deployment = build_deployment()
    power_supply = PowerSupply(deployment, appendfsync="everysec")
    deployment.start(workers=0)
    assert lost_posts(deployment, power_supply.cut)
