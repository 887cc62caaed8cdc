"""Fuzzing by schemathesis, with a fixed seed."""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from project.runner.process import ROOT
from tests.integration.api.client import APIClient

# All checks but those of authentication, because the hooks add a valid token.
CHECKS = (
    *("not_a_server_error", "status_code_conformance", "content_type_conformance"),
    *("response_headers_conformance", "response_schema_conformance", "negative_data_rejection"),
    *("unsupported_method", "allow_header_conformance"),
)

# The response of this path does not end while the session lives.
EXCLUDED = (
    *("--exclude-path", "/sessions/{session_id}/events"),
    # Paths that the server of these tests lacks; their own tests mutate requests.
    *("--exclude-path-regex", "^/(v1|ui)/"),
)
# Seconds; all phases take 40 s of CPU time.
TIMEOUT = 400


@pytest.mark.timeout(TIMEOUT + 30)
@pytest.mark.security("S20")
@pytest.mark.parametrize(
    ("phases", "examples"),
    # Coverage visits each limit of each field, and stateful tests follow links between calls.
    [
        ("fuzzing", "1"),
        pytest.param("coverage,fuzzing,stateful", "2", marks=pytest.mark.thorough),
    ],
)
def test_every_response_conforms_to_the_schema(
    api_with: Callable[..., APIClient], phases: str, examples: str
) -> None:
    api = api_with(
        CHAT_MESSAGES_PER_MINUTE="0",
        CHAT_CHANGES_PER_MINUTE="0",
        CHAT_MAX_SESSIONS_PER_ADDRESS="0",
        CHAT_MAX_BYTES_PER_ADDRESS="0",
        CHAT_SESSIONS_PER_MINUTE="0",
        CHAT_MAX_QUEUED_TURNS_PER_SESSION="1000",
        CHAT_MAX_WAIT="0.1",
    )
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{api.url}/schema"]
    command += ["--phases", phases, "--seed", "1", "--max-examples", examples]
    result = subprocess.run(
        [*command, "--checks", ",".join(CHECKS), *EXCLUDED],
        cwd=ROOT,
        env=os.environ
        | {
            "PYTHONPATH": str(ROOT),
            "SCHEMATHESIS_HOOKS": "tests.integration.api.schemathesis_hooks",
            "FUZZED_URL": api.url,
            "NO_COLOR": "1",
        },
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-10_000:] + result.stderr[-2_000:]
    assert "Fuzzing" in result.stdout
