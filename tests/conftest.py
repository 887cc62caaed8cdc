"""The environment of all tests, and the servers that they share."""

import gc
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import django
import hypothesis
import pytest
from xdist.scheduler import LoadFileScheduling

from project import bootstrap
from project.runner.healthcheck import is_healthy
from tests.harness import environment
from tests.harness.key_leaks import keys_without_ttl
from tests.harness.stack import Stack, port_of

pytest_plugins = ["tests.rows"]
HOME = pytest.StashKey[str]()
SHARED_SERVERS = re.compile("tests/(browser|integration/[a-z_]+)/")
# Lines of each log that are shown when a test fails.
LOG_LINES = 20


def pytest_configure(config: pytest.Config) -> None:
    """Set the environment before pytest-django, which runs last, loads the settings."""
    config.stash[HOME] = tempfile.mkdtemp(prefix="parley-tests-")
    environment.isolate(config.stash[HOME])
    # A busy machine is slow; that is not a bug.
    hypothesis.settings.register_profile(
        "parley",
        deadline=None,
        max_examples=100 if config.option.all else 40,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
    )
    hypothesis.settings.load_profile("parley")
    # As Parley does: looking for garbage among modules and tests costs a lot and finds none.
    gc.set_threshold(bootstrap.GC_THRESHOLD, 20, 20)
    # Modules with Django models need this at import.
    django.setup()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="run the thorough tests, too")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out thorough tests, unless `--all`, a marker or a test's own id asks for them."""
    # One process runs all tests that use a browser, which takes it about as long as all others take
    # together.
    items.sort(key=lambda item: not item.nodeid.startswith("tests/browser/"))
    if config.option.all or config.option.markexpr or any("::" in arg for arg in config.args):
        return
    left_out = [item for item in items if "thorough" in item.keywords]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if "thorough" not in item.keywords]


def pytest_collection_finish() -> None:
    gc.freeze()


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(config.stash[HOME], ignore_errors=True)


class SharedServersScheduling(LoadFileScheduling):
    """Runs files that share servers in the same process, which starts the servers once.

    These are all files that use a browser, and all files of a directory of integration tests.
    """

    def _split_scope(self, nodeid: str) -> str:
        scope = super()._split_scope(nodeid)
        shared = SHARED_SERVERS.match(scope)
        return shared.group() if shared else scope


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> SharedServersScheduling:
    return SharedServersScheduling(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    call: pytest.CallInfo[None],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the last log lines of all running servers to the report of a failure."""
    report = yield
    if report.failed and call.when == "call":
        for stack in Stack.running:
            report.sections.append((f"logs in {stack.directory}", stack.log_tails(LOG_LINES)))
    return report


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running installation for all tests that leave its settings and processes unchanged.

    Its model reads images. Its Redis is the server at this process's `settings.REDIS_URL`.
    """
    shared = Stack(
        tmp_path_factory.mktemp("stack"),
        redis_port=port_of(os.environ["REDIS_URL"]),
        env={"MODEL_INPUTS": "text,image"},
    )
    try:
        yield shared.start()
    finally:
        shared.shut_down()


@pytest.fixture(autouse=True)
def check_key_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test with the shared stack that leaves keys without a TTL."""
    shared: Stack | None = None
    if "stack" in request.fixturenames:
        shared = request.getfixturevalue("stack")
    yield
    if shared and is_healthy(shared.redis.url):
        assert keys_without_ttl(shared.redis.url) == []


@pytest.fixture
def build_stack(tmp_path: Path) -> Iterator[Callable[..., Stack]]:
    """Return a function that prepares a stack for one test; it takes the arguments of `Stack`."""
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
