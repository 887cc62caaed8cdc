"""A web process with low limits, which the tests attack."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.harness.stack import Stack
from tests.integration.api.client import APIClient

LIMITS = {
    "CHAT_MAX_TOTAL_BUFFERED_BYTES": str(8 * 1024 * 1024),
    "CHAT_READS_PER_MINUTE": "1200",
    "CHAT_ADDRESS_READS_PER_MINUTE": "6000",
    "CHAT_SESSIONS_PER_MINUTE": "0",
    "CHAT_MESSAGES_PER_MINUTE": "0",
}
# Soft and hard limit on open files.
DESCRIPTORS = "--nofile=200:512"


@pytest.fixture(scope="session")
def small_web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Redis and a web process."""
    with Stack(tmp_path_factory.mktemp("small"), env=LIMITS) as stack:
        stack.redis.start()
        web = stack.web()
        web.program = replace(web.program, argv=("prlimit", DESCRIPTORS, *web.program.argv))
        web.start()
        yield stack


@pytest.fixture
def healthy(small_web: Stack) -> APIClient:
    """A client with the token of a new session."""
    return APIClient(small_web.web().url).open_session()


@pytest.fixture
def attacker(small_web: Stack) -> APIClient:
    """A client with the token of another new session."""
    return APIClient(small_web.web().url).open_session()
