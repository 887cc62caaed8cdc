"""The deployment of the soak."""

from collections.abc import Callable, Iterator

import pytest

from tests.acceptance.conftest import DEPLOYMENTS, REPORT
from tests.acceptance.deployment import MODEL_OPTIONS, SETTINGS
from tests.acceptance.soak.deployment import SoakDeployment
from tests.harness.stack import Stack


@pytest.fixture
def soak_deployment(
    build_stack: Callable[..., Stack], request: pytest.FixtureRequest
) -> Iterator[SoakDeployment]:
    """The deployment, started."""
    settings = SETTINGS | {"CHAT_EVENT_LOG_SIZE": "5000"}  # the audit reads complete logs
    stack = build_stack(appendonly=True, env=settings, model_options=MODEL_OPTIONS)
    deployment = SoakDeployment(stack)
    request.node.stash[DEPLOYMENTS] = [deployment]
    yield deployment.build()
    deployment.close()


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Return a function that adds a line to print after all tests."""
    return request.config.stash[REPORT].append
