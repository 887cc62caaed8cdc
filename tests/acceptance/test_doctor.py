"""`manage.py doctor` on a Parley that is well, and on one that is not."""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest
from redis import Redis

from project.runner.process import ROOT
from tests.harness.stack import Stack
from tests.harness.wait import wait_until


@pytest.fixture
def well(build_stack: Callable[..., Stack]) -> Stack:
    return build_stack(appendonly=True).start(webs=0)


def doctor(stack: Stack, *options: str, **env: str) -> tuple[int, str]:
    """Return the exit code and what was printed; an empty variable is none."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "doctor", *options],
        env=stack.env | env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_a_parley_that_is_well_passes_with_its_models_called_but_for_a_key(well: Stack) -> None:
    wait_until(lambda: "1 workers alive" in doctor(well)[1], within=30)
    code, told = doctor(well, "--call-models")
    assert code == 0, told
    assert "model default: answers" in told
    assert "wrong" not in told

    code, told = doctor(well, SECRET_KEY="")
    assert code == 1
    assert "wrong    SECRET_KEY is not set\n" in told
    assert "secrets.token_urlsafe(50)" in told


def test_a_dead_worker_and_an_evicting_redis_are_named(well: Stack) -> None:
    with Redis.from_url(well.redis.url) as redis:
        redis.config_set("maxmemory-policy", "allkeys-lru")
    well.worker().stop()
    code, told = doctor(well)
    assert code == 1
    assert "maxmemory-policy is allkeys-lru" in told
    assert "0 workers alive" in told


UNFIT: dict[str, Callable[[Redis], object]] = {
    "maxmemory-policy must be noeviction": (
        lambda redis: redis.config_set("maxmemory-policy", "allkeys-lru")
    ),
    "its user lacks permissions that docs/security.md lists": (
        lambda redis: redis.acl_setuser("default", enabled=True, commands=["-info"])
    ),
}
"""What a worker says of a Redis -> how Redis comes to be so."""


@pytest.mark.parametrize(("told", "spoil"), UNFIT.items())
def test_a_worker_does_not_start_on_an_unfit_redis_and_says_why_in_one_line(
    well: Stack, told: str, spoil: Callable[[Redis], object]
) -> None:
    with Redis.from_url(well.redis.url) as redis:
        spoil(redis)
    second = well.worker(1)
    second.launch()
    wait_until(lambda: not second.is_running, within=30)
    assert second.log.splitlines()[-1] == f"Parley cannot start: REDIS_URL: {told}"
    assert "Traceback" not in second.log
    assert second.exit_code == os.EX_CONFIG


def test_a_model_that_cannot_be_called_is_named(well: Stack) -> None:
    well.model.kill()
    code, told = doctor(well, "--call-models")
    assert code == 1
    assert "model default: " in told


REFUSING = {
    "Redis rejects it: DB index is out of range": ("/0", "/77", ["+@all"]),
    "its user lacks permissions that docs/security.md lists": ("", "", ["-time"]),
    "workers cannot be listed": ("", "", ["-hgetall"]),
}
"""What is told -> what of the URL is written wrongly, and how; rights that the user has."""


@pytest.mark.parametrize(("told", "how"), REFUSING.items())
def test_a_redis_that_refuses_to_serve_is_a_finding_and_no_traceback(
    build_stack: Callable[..., Stack], told: str, how: tuple[str, str, list[str]]
) -> None:
    right, wrong, commands = how
    stack = build_stack()
    with Redis.from_url(stack.redis.start().url) as redis:
        redis.acl_setuser("default", enabled=True, commands=commands)
    url = stack.redis.url.removesuffix(right) + wrong
    code, said = doctor(stack, REDIS_URL=url)
    assert code == 1
    assert told in said
    assert "Traceback" not in said


def test_without_redis_it_says_so(well: Stack) -> None:
    well.redis.kill()
    code, told = doctor(well)
    assert code == 1
    assert "Redis gives no answer" in told
    assert "Traceback" not in told
