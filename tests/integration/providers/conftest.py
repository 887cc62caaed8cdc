"""A running fake model, and providers that call it."""

from collections.abc import Callable, Iterator

import pytest

from chat.providers.base import Provider
from chat.providers.registry import provider_for
from fakemodel.imitations.registry import IMITATIONS
from tests.integration.fakemodel.server import FakeModel
from tests.unit.providers.models import model

PATHS = {"openai": "/v1", "completions": "/v1", "huggingface": "/models/gpt2"}

BuildProvider = Callable[..., Provider]


@pytest.fixture(scope="session")
def fake_model() -> Iterator[FakeModel]:
    """A server that echoes and records calls."""
    with FakeModel("--record", "--style", "echo") as server:
        yield server


@pytest.fixture(scope="session", params=IMITATIONS)
def imitation(request: pytest.FixtureRequest) -> Iterator[tuple[str, FakeModel]]:
    """The name of each imitated server, and the server."""
    with FakeModel("--as", request.param, "--record", "--style", "echo") as server:
        yield request.param, server


@pytest.fixture(params=[True, False], ids=["stream", "whole"])
def stream(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture(params=list(PATHS))
def wire_format(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def build_provider(fake_model: FakeModel) -> BuildProvider:
    """Return a function that creates a provider for the fake model from a model's fields."""
    fake_model.reset()

    def build(wire_format: str, **fields: object) -> Provider:
        url = fake_model.url + PATHS[wire_format]
        return provider_for(
            model(**{"name": wire_format, "provider": wire_format, "url": url, **fields})
        )

    return build


@pytest.fixture
def provider(build_provider: BuildProvider, wire_format: str, stream: bool) -> Provider:
    """A provider of each format, streaming and not."""
    return build_provider(wire_format, stream=stream)
