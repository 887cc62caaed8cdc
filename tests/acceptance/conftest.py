"""The rows of the table of faults: a scene for each, and an audit after each."""

from collections.abc import Callable, Generator, Iterator

import pytest

from tests.acceptance.scene import KNOBS, MODEL, Scene
from tests.acceptance.usual import Usual
from tests.harness.stack import Stack

SCENES = pytest.StashKey[list[Scene]]()
"""Those of one row, for the audit."""
TOLD = pytest.StashKey[list[str]]()
"""What the soak has to tell."""


def pytest_configure(config: pytest.Config) -> None:
    """Begin with nothing to tell."""
    config.stash[TOLD] = []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the soak, which takes longest; leave the slow rows to `make faults`."""
    items.sort(key=lambda item: item.path.parent.name != "soak")
    if "fault" in config.option.markexpr:
        return
    slow = [item for item in items if item.get_closest_marker("fault") and "slow" in item.keywords]
    config.hook.pytest_deselected(items=slow)
    items[:] = [item for item in items if item not in slow]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Audit as part of the test, so that what it finds is the test's failure."""
    result = yield
    for scene in item.stash.get(SCENES, []):
        scene.audit()
    return result


@pytest.fixture
def scene(
    build_stack: Callable[..., Stack], request: pytest.FixtureRequest
) -> Iterator[Callable[..., Scene]]:
    """Return a function that prepares a scene; it takes knobs by name, as in `lease=5`."""
    built: list[Scene] = []
    request.node.stash[SCENES] = built

    def build(**knobs: float) -> Scene:
        own = {f"CHAT_{name.upper()}": str(value) for name, value in knobs.items()}
        stack = build_stack(appendonly=True, env=KNOBS | own, model_options=MODEL)
        built.append(Scene(stack))
        return built[-1]

    try:
        yield build
    finally:
        for each in built:
            each.end()


class Shared:
    """The usual scene, as long as no row fails in it."""

    def __init__(self, directories: pytest.TempPathFactory) -> None:
        self._directories = directories
        self._scene: Usual | None = None

    def scene(self) -> Usual:
        """Return it as if nothing had happened in it."""
        if self._scene is None:
            directory = self._directories.mktemp("usual")
            self._scene = Usual(Stack(directory, appendonly=True, env=KNOBS, model_options=MODEL))
            self._scene.start()
        else:
            self._scene.renew()
        return self._scene

    def end(self) -> None:
        """End it; the next row gets a new one."""
        if self._scene is not None:
            self._scene.end()
            self._scene.stack.shut_down()
            self._scene = None


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """Keep the usual scene."""
    kept = Shared(tmp_path_factory)
    yield kept
    kept.end()


@pytest.fixture
def here(shared: Shared, request: pytest.FixtureRequest) -> Iterator[Usual]:
    """Return the usual scene, started."""
    failed_before = request.session.testsfailed
    usual = shared.scene()
    request.node.stash[SCENES] = [usual]
    yield usual
    if request.session.testsfailed > failed_before:
        shared.end()


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print what the soak tells."""
    if told := config.stash[TOLD]:
        terminalreporter.section("soak")
        for line in told:
            terminalreporter.line(line)
