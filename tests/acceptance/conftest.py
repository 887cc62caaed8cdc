"""Deployments for the tests, and an audit after each test."""

from collections.abc import Callable, Generator, Iterator

import pytest

from tests.acceptance.deployment import MODEL_OPTIONS, SETTINGS, Deployment
from tests.acceptance.shared_deployment import SharedDeployment
from tests.harness.stack import Stack

# The deployments of a test, for its audit.
DEPLOYMENTS = pytest.StashKey[list[Deployment]]()
# Lines that the soak prints after all tests.
REPORT = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[REPORT] = []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run the soak first, because it takes longest; leave slow fault tests to `make faults`."""
    items.sort(key=lambda item: item.path.parent.name != "soak")
    if "fault" in config.option.markexpr:
        return
    slow = [item for item in items if item.get_closest_marker("fault") and "slow" in item.keywords]
    config.hook.pytest_deselected(items=slow)
    items[:] = [item for item in items if item not in slow]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Audit as part of the test, so that the test fails if the audit does."""
    result = yield
    for deployment in item.stash.get(DEPLOYMENTS, []):
        deployment.audit()
    return result


@pytest.fixture
def build_deployment(
    build_stack: Callable[..., Stack], request: pytest.FixtureRequest
) -> Iterator[Callable[..., Deployment]]:
    """Return a function that prepares a deployment; its arguments are settings: `lease_ttl=5`."""
    built: list[Deployment] = []
    request.node.stash[DEPLOYMENTS] = built

    def build(**settings: float) -> Deployment:
        own = {f"CHAT_{name.upper()}": str(value) for name, value in settings.items()}
        stack = build_stack(appendonly=True, env=SETTINGS | own, model_options=MODEL_OPTIONS)
        built.append(Deployment(stack))
        return built[-1]

    try:
        yield build
    finally:
        for each in built:
            each.close()


class DeploymentCache:
    """Keeps the shared deployment until a test fails in it."""

    def __init__(self, directories: pytest.TempPathFactory) -> None:
        self._directories = directories
        self._deployment: SharedDeployment | None = None

    def get(self) -> SharedDeployment:
        """Return the running deployment in its initial state."""
        if self._deployment is None:
            stack = Stack(
                self._directories.mktemp("shared"),
                appendonly=True,
                env=SETTINGS,
                model_options=MODEL_OPTIONS,
            )
            self._deployment = SharedDeployment(stack)
            self._deployment.start()
        else:
            self._deployment.reset()
        return self._deployment

    def discard(self) -> None:
        """Shut the deployment down; the next test gets a new one."""
        if self._deployment is not None:
            self._deployment.close()
            self._deployment.stack.shut_down()
            self._deployment = None


@pytest.fixture(scope="session")
def deployment_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeploymentCache]:
    cache = DeploymentCache(tmp_path_factory)
    yield cache
    cache.discard()


@pytest.fixture
def deployment(
    deployment_cache: DeploymentCache, request: pytest.FixtureRequest
) -> Iterator[SharedDeployment]:
    """The shared deployment, started."""
    failed_before = request.session.testsfailed
    shared = deployment_cache.get()
    request.node.stash[DEPLOYMENTS] = [shared]
    yield shared
    if request.session.testsfailed > failed_before:
        deployment_cache.discard()


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if lines := config.stash[REPORT]:
        terminalreporter.section("soak")
        for line in lines:
            terminalreporter.line(line)
