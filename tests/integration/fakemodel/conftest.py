"""Fake model processes on free ports."""

from collections.abc import Callable, Iterator

import pytest

from tests.integration.fakemodel.server import FakeModel


@pytest.fixture(scope="session")
def shared_model() -> Iterator[FakeModel]:
    """One server for all tests that need no other options."""
    with FakeModel("--record", "--style", "echo") as model:
        yield model


@pytest.fixture
def model(shared_model: FakeModel) -> FakeModel:
    """The shared server after a reset."""
    shared_model.reset()
    return shared_model


@pytest.fixture
def start() -> Iterator[Callable[..., FakeModel]]:
    """Return a function that starts a server, which is stopped after the test."""
    started: list[FakeModel] = []

    def start_one(*options: str) -> FakeModel:
        started.append(FakeModel(*options))
        return started[-1]

    try:
        yield start_one
    finally:
        for model in started:
            model.stop()
