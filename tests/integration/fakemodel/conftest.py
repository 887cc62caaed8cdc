"""Real dev model processes on free ports."""

from collections.abc import Callable, Iterator

import pytest

from tests.integration.fakemodel.server import FakeModel


@pytest.fixture(scope="session")
def shared_model() -> Iterator[FakeModel]:
    """One server in echo style with a record, for all tests that need no options."""
    with FakeModel("--record", "--style", "echo") as model:
        yield model


@pytest.fixture
def model(shared_model: FakeModel) -> FakeModel:
    """The shared server, as if freshly started."""
    shared_model.reset()
    return shared_model


@pytest.fixture
def start() -> Iterator[Callable[..., FakeModel]]:
    """Starts a server with the options given; it ends with the test."""
    started: list[FakeModel] = []

    def start_one(*options: str) -> FakeModel:
        started.append(FakeModel(*options))
        return started[-1]

    try:
        yield start_one
    finally:
        for model in started:
            model.end()
