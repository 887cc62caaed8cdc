"""`manage.py doctor` on a healthy installation and on broken ones."""

import os
from collections.abc import Callable

import pytest
from redis import Redis

from tests.acceptance.doctor import doctor
from tests.harness.stack import Stack
from tests.harness.wait import wait_until


@pytest.fixture
def healthy(build_stack: Callable[..., Stack]) -> Stack:
    return build_stack(appendonly=True).start(webs=0)


def test_healthy_installation_passes_except_for_its_key(healthy: Stack) -> None:
    wait_until(lambda: "1 workers alive" in doctor(healthy)[1], within=30)
    code, output = doctor(healthy, "--call-models")
    assert code == 0, output
    assert "model default: answers" in output
    assert " answered a ping in " in output
    assert "error" not in output

    code, output = doctor(healthy, SECRET_KEY="")
    assert code == 1
    assert "error    SECRET_KEY is not set\n" in output
    assert "secrets.token_urlsafe(50)" in output


@pytest.mark.thorough
def test_dead_worker_and_evicting_redis_are_reported(healthy: Stack) -> None:
    with Redis.from_url(healthy.redis.url) as redis:
        redis.config_set("maxmemory-policy", "allkeys-lru")
    healthy.worker().stop()
    code, output = doctor(healthy)
    assert code == 1
    assert "maxmemory-policy is allkeys-lru" in output
    assert "0 workers alive" in output
    assert "the broker returned a ping from a temporary queue" in output


# Message of the worker -> how to make Redis unsuitable.
UNSUITABLE: dict[str, Callable[[Redis], object]] = {
    "maxmemory-policy must be noeviction": (
        lambda redis: redis.config_set("maxmemory-policy", "allkeys-lru")
    ),
    "its user lacks permissions that docs/security.md lists": (
        lambda redis: redis.acl_setuser("default", enabled=True, commands=["-info"])
    ),
}


@pytest.mark.thorough
@pytest.mark.parametrize(("expected", "misconfigure"), UNSUITABLE.items())
def test_worker_rejects_an_unsuitable_redis_in_one_line(
    healthy: Stack, expected: str, misconfigure: Callable[[Redis], object]
) -> None:
    with Redis.from_url(healthy.redis.url) as redis:
        misconfigure(redis)
    second = healthy.worker(1)
    second.launch()
    wait_until(lambda: not second.is_running, within=30)
    assert second.log.splitlines()[-1] == f"Parley cannot start: REDIS_URL: {expected}"
    assert "Traceback" not in second.log
    assert second.exit_code == os.EX_CONFIG


@pytest.mark.case("C32")
def test_another_number_of_partitions_stops_every_process(
    build_stack: Callable[..., Stack],
) -> None:
    stack = build_stack(env={"CHAT_PARTITIONS": "8"})
    stack.redis.start()
    with Redis.from_url(stack.redis.url) as redis:
        redis.hset("chat:deployment", "partitions", 64)
    expected = (
        "CHAT_PARTITIONS: is 8, but the data in Redis has 64 partitions;"
        " set it to 64, or use an empty Redis"
    )
    processes = [stack.web(), stack.worker()]
    for process in processes:
        process.launch()
    code, output = doctor(stack)
    assert code == 1
    assert expected in output
    wait_until(lambda: not any(process.is_running for process in processes), within=30)
    for process in processes:
        assert process.log.splitlines() == [f"Parley cannot start: {expected}"]
        assert process.exit_code == os.EX_CONFIG


@pytest.mark.thorough
def test_unreachable_model_is_reported(healthy: Stack) -> None:
    healthy.model.kill()
    code, output = doctor(healthy, "--call-models")
    assert code == 1
    assert "model default: " in output


# Expected text -> the end of the URL, its wrong replacement, and the user's ACL rules.
REJECTING = {
    "Redis rejects it: DB index is out of range": ("/0", "/77", ["+@all"]),
    "its user lacks permissions that docs/security.md lists": ("", "", ["-time"]),
    "workers cannot be listed": ("", "", ["-hgetall"]),
}


@pytest.mark.thorough
@pytest.mark.parametrize(("expected", "setup"), REJECTING.items())
def test_redis_that_rejects_commands_is_reported(
    build_stack: Callable[..., Stack], expected: str, setup: tuple[str, str, list[str]]
) -> None:
    right, wrong, commands = setup
    stack = build_stack()
    with Redis.from_url(stack.redis.start().url) as redis:
        redis.acl_setuser("default", enabled=True, commands=commands)
    url = stack.redis.url.removesuffix(right) + wrong
    code, output = doctor(stack, REDIS_URL=url)
    assert code == 1
    assert expected in output
    assert "Traceback" not in output


@pytest.mark.thorough
def test_missing_redis_is_reported(healthy: Stack) -> None:
    healthy.redis.kill()
    code, output = doctor(healthy)
    assert code == 1
    assert "Redis does not answer" in output
    assert "Traceback" not in output
