"""The place of the soak."""

from collections.abc import Callable, Iterator

import pytest

from tests.acceptance.conftest import SCENES, TOLD
from tests.acceptance.scene import KNOBS, MODEL
from tests.acceptance.soak.place import Place
from tests.harness.stack import Stack


@pytest.fixture
def place(build_stack: Callable[..., Stack], request: pytest.FixtureRequest) -> Iterator[Place]:
    """Return it, started."""
    knobs = KNOBS | {"CHAT_EVENT_LOG_SIZE": "5000"}  # the audit reads logs from their beginning
    stack = build_stack(appendonly=True, env=knobs, model_options=MODEL)
    place = Place(stack)
    request.node.stash[SCENES] = [place]
    yield place.build()
    place.end()


@pytest.fixture
def told(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Return what takes lines to be printed after all tests."""
    return request.config.stash[TOLD].append
