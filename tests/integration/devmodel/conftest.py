"""Real dev model processes on free ports."""

from collections.abc import Callable, Iterator

import pytest

from tests.integration.devmodel.server import DevModel


@pytest.fixture(scope="session")
def shared_model() -> Iterator[DevModel]:
    """One server in echo style with a record, for all tests that need no options."""
    with DevModel("--record", "--style", "echo") as model:
        yield model


@pytest.fixture
def model(shared_model: DevModel) -> DevModel:
    """The shared server, as if freshly started."""
    shared_model.reset()
    return shared_model


@pytest.fixture
def start() -> Iterator[Callable[..., DevModel]]:
    """Starts a server with the options given; it ends with the test."""
    started: list[DevModel] = []

    def start_one(*options: str) -> DevModel:
        started.append(DevModel(*options))
        return started[-1]

    try:
        yield start_one
    finally:
        for model in started:
            model.end()
