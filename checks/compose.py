"""Dockerfile and docker-compose.yml start the same commands as `make run`."""

import re
import shlex
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from checks.files import at, lookup, read, read_yaml
from project.runner import commands, container, redis_server

COMPOSE = "docker-compose.yml"
SERVICES: dict[str, dict[str, Any]] = read_yaml(COMPOSE)["services"]
# The last stage, with continued lines joined.
IMAGE = read("Dockerfile").rpartition("\nFROM ")[2].replace("\\\n", "")
# Options whose values may differ: address, name and time to stop.
DIFFERENT = {"--host", "--port", "--hostname", "--timeout-graceful-shutdown"}
SAME_IN_REDIS = ("appendonly", "appendfsync", "maxmemory-policy")
# A worker needs this long to stop after it has drained.
STOP_MARGIN = 5.0  # seconds


def options(words: list[str]) -> dict[str, str]:
    """Return the options of a command line that must be the same everywhere."""
    found = {
        word: "" if following.startswith("-") else following
        for word, following in pairwise([*words, "-"])
        if word.startswith("--")
    }
    return {name: value for name, value in found.items() if name not in DIFFERENT}


def redis_options(script: str) -> dict[str, str]:
    """Return the options of the server that a shell script starts."""
    return options(shlex.split(script.rpartition("exec ")[2].partition("<<")[0]))


def drain_timeout() -> float:
    """Return the default of CHAT_DRAIN_TIMEOUT in seconds."""
    return float(re.findall(r"^#CHAT_DRAIN_TIMEOUT=(.*)", read(".env.example"), re.MULTILINE)[0])


def same_commands() -> Iterator[str]:
    """The image starts the web as `make run` does, and the worker has the same options."""
    if f'CMD ["python", "-m", "{container.__name__}"]' not in IMAGE.splitlines():
        yield f"{at('Dockerfile', 'CMD [')}: run {container.__name__}"
    own = options(list(commands.worker(env={}).argv))
    if options(SERVICES["worker"]["command"]) != own:
        yield f"{at(COMPOSE, '  worker:')}: expected the options of `make run`, {own}"


def same_redis() -> Iterator[str]:
    """Redis stores and evicts as it does with `make run`."""
    with tempfile.TemporaryDirectory() as home:
        own = redis_server.write_configuration(Path(home), port=1, password="").read_text()
    given = redis_options(SERVICES["redis"]["command"][-1])
    for name in SAME_IN_REDIS:
        expected = re.findall(rf"^{name} (.*)$", own, re.MULTILINE)
        if [given.get(f"--{name}")] != expected:
            yield f"{at(COMPOSE, '  redis:')}: expected --{name} {expected}, as in `make run`"


def state_on_the_volume() -> Iterator[str]:
    """PARLEY_HOME is the volume, also if an env file sets it to an empty string."""
    (volume,) = re.findall(r"^VOLUME (\S+)$", IMAGE, re.MULTILINE)
    for line in (f" PARLEY_HOME={volume} ", ' && ln -s "$PARLEY_HOME" .parley\n'):
        if line not in IMAGE:
            yield f"{at('Dockerfile', 'VOLUME')}: the last stage must contain `{line.strip()}`"
    for name in ("migrate", "web", "worker", "model"):
        mounts = [mount.partition(":")[2] for mount in SERVICES[name].get("volumes", ())]
        expected = [volume] if name in {"migrate", "web"} else []
        is_set = lookup(SERVICES[name], "environment.PARLEY_HOME") == volume
        if not (is_set or name == "model") or mounts != expected:
            yield f"{at(COMPOSE, f'  {name}:')}: set PARLEY_HOME to {volume}, and mount {expected}"


def health() -> Iterator[str]:
    """Every service that keeps running has a health check; a worker has time to drain."""
    for name in ("redis", "web", "proxy", "worker", "model"):
        if not lookup(SERVICES[name], "healthcheck.test"):
            yield f"{at(COMPOSE, f'  {name}:')}: add a healthcheck"
    worker = SERVICES["worker"]
    heartbeat = f"file:{lookup(worker, 'environment.CHAT_HEARTBEAT_FILE')}?"
    if heartbeat not in str(lookup(worker, "healthcheck.test")):
        yield f"{at(COMPOSE, '  worker:')}: the healthcheck must read CHAT_HEARTBEAT_FILE"
    if float(worker["stop_grace_period"].removesuffix("s")) < drain_timeout() + STOP_MARGIN:
        yield (
            f"{at(COMPOSE, 'stop_grace_period')}: give the worker CHAT_DRAIN_TIMEOUT and"
            f" {STOP_MARGIN:g} s more"
        )


def image_contents() -> Iterator[str]:
    """The image runs without root, and .dockerignore lets through what it copies."""
    if "\nUSER 10001\n" not in IMAGE:
        yield f"{at('Dockerfile', 'USER')}: expected USER 10001"
    sent = read(".dockerignore").splitlines()
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", read("Dockerfile"), re.MULTILINE)
    for name in " ".join(copied).split():
        if f"!{name}" not in sent:
            yield f"{at('Dockerfile', name)}: {name} is copied; add !{name} to .dockerignore"


CHECKS = (same_commands, same_redis, state_on_the_volume, health, image_contents)
