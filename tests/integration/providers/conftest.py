"""A real fake model, and providers that talk to it."""

from collections.abc import Callable, Iterator

import pytest

from chat.providers.base import Provider
from chat.providers.registry import provider_for
from tests.integration.fakemodel.server import FakeModel
from tests.unit.providers.models import model

PATHS = {"openai": "/v1", "completions": "/v1", "huggingface": "/models/gpt2"}

Speaker = Callable[..., Provider]


@pytest.fixture(scope="session")
def fake_model() -> Iterator[FakeModel]:
    """One server in echo style with a record."""
    with FakeModel("--record", "--style", "echo") as server:
        yield server


@pytest.fixture(params=[True, False], ids=["stream", "whole"])
def stream(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture(params=list(PATHS))
def form(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def speaker(fake_model: FakeModel) -> Speaker:
    """Return a function that makes a provider for the fake model; it takes a model's fields."""
    fake_model.reset()

    def speak(form: str, **fields: object) -> Provider:
        url = fake_model.url + PATHS[form]
        return provider_for(model(**{"name": form, "provider": form, "url": url, **fields}))

    return speak


@pytest.fixture
def provider(speaker: Speaker, form: str, stream: bool) -> Provider:
    """A provider of each format, streaming and not."""
    return speaker(form, stream=stream)
