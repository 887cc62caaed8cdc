"""Containers run what `make run` and the tests run."""

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from project.runner import commands, redis_server
from project.runner.process import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
# Options whose values differ: where a container listens, its name, its patience.
ELSEWHERE = {"--host", "--port", "--hostname", "--timeout-graceful-shutdown"}


def options(words: list[str]) -> dict[str, str]:
    """The options of a command line with their values, but for those that may differ."""
    found = {
        word: "" if following.startswith("-") else following
        for word, following in pairwise([*words, "-"])
        if word.startswith("--")
    }
    return {name: value for name, value in found.items() if name not in ELSEWHERE}


def image_command() -> list[str]:
    found = re.search(r"^CMD (\[.*\])$", DOCKERFILE.replace("\\\n", ""), re.MULTILINE)
    assert found
    command: list[str] = json.loads(found[1])
    return command


def test_the_web_is_started_alike() -> None:
    own = list(commands.web(port=1, env={}).argv)
    assert options(image_command()) == options(own)


def test_the_worker_is_started_alike() -> None:
    own = options(list(commands.worker(env={}).argv))
    assert options(SERVICES["worker"]["command"]) == own


def test_redis_keeps_and_evicts_alike(tmp_path: Path) -> None:
    own = redis_server.write_configuration(tmp_path, port=1, password="").read_text()
    given = options(SERVICES["redis"]["command"])
    for name in ("appendonly", "appendfsync", "maxmemory-policy"):
        assert f"{name} {given[f'--{name}']}\n" in own


@pytest.mark.parametrize("name", ["migrate", "web", "worker", "model"])
def test_state_is_kept_on_the_volume_whatever_env_file_says(name: str) -> None:
    """Elsewhere nothing may be written, and nothing outlives the container."""
    (volume,) = re.findall(r"^VOLUME (\S+)$", DOCKERFILE, re.MULTILINE)
    assert SERVICES[name]["environment"]["PARLEY_HOME"] == volume
    mounts = [mount.partition(":")[2] for mount in SERVICES[name].get("volumes", ())]
    assert mounts == ([volume] if name in {"migrate", "web"} else [])


def test_the_default_home_in_an_image_is_its_volume() -> None:
    """It is what an empty PARLEY_HOME means, as it may stand in an env file."""
    last = DOCKERFILE.rpartition("\nFROM ")[2].replace("\\\n", "")
    (volume,) = re.findall(r"^VOLUME (\S+)$", last, re.MULTILINE)
    assert f" PARLEY_HOME={volume} " in last
    assert ' && ln -s "$PARLEY_HOME" .parley\n' in last


@pytest.mark.parametrize("name", ["redis", "web", "worker", "model"])
def test_every_service_that_stays_tells_its_health(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"]


def test_the_worker_is_asked_about_the_file_that_it_touches() -> None:
    worker = SERVICES["worker"]
    assert (
        f"file:{worker['environment']['CHAT_HEARTBEAT_FILE']}?" in worker["healthcheck"]["test"][-1]
    )


def test_a_worker_has_time_to_drain() -> None:
    drain = float(
        re.findall(r"CHAT_DRAIN_TIMEOUT=([\d.]+)", (ROOT / ".env.example").read_text())[0]
    )
    assert float(SERVICES["worker"]["stop_grace_period"].removesuffix("s")) >= drain + 5


def test_nothing_runs_as_root() -> None:
    assert "\nUSER 10001\n" in DOCKERFILE


def test_the_image_gets_what_it_copies() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    sent = (ROOT / ".dockerignore").read_text().splitlines()
    assert copied
    assert [name for line in copied for name in line.split() if f"!{name}" not in sent] == []
