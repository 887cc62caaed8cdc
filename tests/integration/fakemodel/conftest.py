"""One fake model process for all tests that need no other options."""

from collections.abc import Iterator

import pytest

from tests.integration.fakemodel.server import FakeModel


@pytest.fixture(scope="session")
def shared_model() -> Iterator[FakeModel]:
    with FakeModel("--record", "--style", "echo") as model:
        yield model


@pytest.fixture
def model(shared_model: FakeModel) -> FakeModel:
    """The shared server after a reset."""
    shared_model.reset()
    return shared_model
