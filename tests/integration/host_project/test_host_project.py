"""Parley's API in another Django project changes nothing there, and keeps its own rules."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from project.runner.process import ROOT
from tests.integration.store.conftest import redis, server
from tests.integration.store.redis_server import RedisServer

__all__ = ["redis", "server"]


@pytest.fixture(scope="module")
def answers(server: RedisServer) -> dict[str, Any]:
    """What the host project's URLs return."""
    environment = {"PATH": os.environ["PATH"], "REDIS_URL": server.url}
    command = [sys.executable, "-m", "tests.integration.host_project.site"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_csrf_and_login_of_the_host_apply_to_its_own_api(answers: dict[str, Any]) -> None:
    assert answers["host_post"]["status"] == 403
    assert answers["host_get"]["status"] == 302


def test_rules_of_the_host_do_not_apply_to_parley(answers: dict[str, Any]) -> None:
    assert answers["open"] == [201, 201, 201]
    assert answers["invalid"] == {"status": 400, "error": "invalid_request"}
    assert answers["unauthenticated"] == {"status": 401, "error": "invalid_token"}


def test_async_views_accept_get_only(answers: dict[str, Any]) -> None:
    assert answers["live_delete"] == 405
