"""OpenAI's clients of the shared stack."""

from collections.abc import Iterator

import pytest
from openai import OpenAI

from tests.harness.stack import Stack

# Of clients, seconds.
TIMEOUT = 60


@pytest.fixture
def base_url(stack: Stack) -> str:
    return f"{stack.web().url}/v1"


@pytest.fixture
def client(base_url: str, api_key: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=base_url, api_key=api_key, timeout=TIMEOUT) as client:
        yield client
