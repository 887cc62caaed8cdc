"""The environment of all tests, and the servers that they share."""

import os
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import django
import hypothesis
import pytest
from xdist.scheduler import LoadFileScheduling

from project.runner.healthcheck import is_healthy
from tests.harness import environment
from tests.harness.key_leaks import keys_without_ttl
from tests.harness.stack import Stack, port_of

pytest_plugins = ["tests.rows"]
# What a machine with much to do is slow at is no fault of what is tested.
hypothesis.settings.register_profile(
    "busy", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("busy")
HOME = pytest.StashKey[str]()
BROWSERS = "tests/browser/"
# Of each server's log that are shown when a test fails.
LINES = 20


def pytest_configure(config: pytest.Config) -> None:
    """Set the environment before pytest-django, whose turn comes last, loads the settings."""
    config.stash[HOME] = tempfile.mkdtemp(prefix="parley-tests-")
    environment.isolate(config.stash[HOME])
    # So that modules with models can be imported; pytest-django does it only for settings read.
    django.setup()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave nothing in the temporary directory."""
    shutil.rmtree(config.stash[HOME], ignore_errors=True)


class OneBrowser(LoadFileScheduling):
    """Gives each file to one process, and all files with a browser to the same one.

    Each process starts a Chromium of its own, and several that start at once on two cores make
    every other test wait.
    """

    def _split_scope(self, nodeid: str) -> str:
        """Return what is given to a process as a whole."""
        scope = super()._split_scope(nodeid)
        return BROWSERS if scope.startswith(BROWSERS) else scope


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneBrowser:
    """Give the tests to the processes of `--numprocesses`."""
    return OneBrowser(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    call: pytest.CallInfo[None],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to a failure what the servers that still run have said last."""
    report = yield
    if report.failed and call.when == "call":
        for stack in Stack.running:
            report.sections.append((f"logs in {stack.directory}", stack.log_tails(LINES)))
    return report


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One running Parley for all tests that leave it as they found it.

    Its Redis is the one that this process's own `settings.REDIS_URL` names.
    """
    shared = Stack(tmp_path_factory.mktemp("stack"), redis_port=port_of(os.environ["REDIS_URL"]))
    try:
        yield shared.start()
    finally:
        shared.shut_down()


@pytest.fixture(autouse=True)
def no_key_stays_for_ever(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each test with the shared stack, every key has a TTL or is on the list."""
    shared: Stack | None = None
    if "stack" in request.fixturenames:
        shared = request.getfixturevalue("stack")
    yield
    if shared and is_healthy(shared.redis.url):
        assert keys_without_ttl(shared.redis.url) == []


@pytest.fixture
def build_stack(tmp_path: Path) -> Iterator[Callable[..., Stack]]:
    """Return a function that prepares a Parley for one test; it takes the arguments of `Stack`."""
    built: list[Stack] = []

    def build(**arguments: Any) -> Stack:
        stack = Stack(tmp_path / f"stack{len(built)}", **arguments)
        built.append(stack)
        return stack

    try:
        yield build
        for stack in built:
            if is_healthy(stack.redis.url):
                assert keys_without_ttl(stack.redis.url) == []
    finally:
        for stack in built:
            stack.shut_down()
