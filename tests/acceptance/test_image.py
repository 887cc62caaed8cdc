"""The command of the container image, with the files and variables that the Dockerfile gives it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from parley_client import Client
from project.runner import container
from project.runner.process import ROOT
from tests.harness.environment import without_parley_variables
from tests.harness.ports import free_port
from tests.harness.wait import wait_until

# The last stage.
IMAGE = (ROOT / "Dockerfile").read_text().rpartition("\nFROM ")[2]
COPY = re.compile(r"^COPY (?!--from)(.+) \S+$", re.MULTILINE)
# Seconds; other tests may keep both cores busy.
START_TIMEOUT = 60
# Imports what `manage.py run` starts, and all commands.
IMPORTS = """
import celery_app, fakemodel.server, project.runner.container, project.server.application
from django.core.management import get_commands, load_command_class
from django.urls import get_resolver
celery_app.app.loader.import_default_modules()
assert get_resolver().url_patterns
for name, app in get_commands().items():
    load_command_class(app, name)
"""


class Container:
    """Runs the image's command in a directory with the image's files."""

    def __init__(self, directory: Path) -> None:
        self.files = directory / "srv"
        self.files.mkdir()
        for name in " ".join(COPY.findall(IMAGE)).split():
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
            copy(ROOT / name, self.files / name)
        (command,) = re.findall(r"^CMD (.*)$", IMAGE, re.MULTILINE)
        self.command = json.loads(command)
        self.port = free_port()
        self.log = directory / "log"
        self.env = without_parley_variables(os.environ) | {
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "PARLEY_HOME": str(directory / "volume"),
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        }
        for name in ("REDIS_URL", "SECRET_KEY"):
            self.env.pop(name, None)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Client:
        """Start it and wait until it is ready; return a client."""
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                self.command, cwd=self.files, env=self.env, stdout=output, stderr=output
            )
        wait_until(lambda: "Parley is ready" in self.log.read_text(), within=START_TIMEOUT)
        return Client(f"http://127.0.0.1:{self.port}")

    def stop(self) -> None:
        """Stop it as `docker stop` does."""
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(START_TIMEOUT)


@pytest.fixture
def image(tmp_path: Path) -> Iterator[Container]:
    built = Container(tmp_path)
    yield built
    built.stop()


def test_image_has_the_files_that_its_programs_import(image: Container) -> None:
    """tests/acceptance/test_run.py starts them, from the checkout."""
    python = [sys.executable, "-c", IMPORTS]
    run = subprocess.run(python, cwd=image.files, env=image.env, capture_output=True, check=False)
    assert run.returncode == 0, run.stderr.decode()


def test_image_has_compressed_files_and_its_build_writes_no_others(image: Container) -> None:
    (compress,) = re.findall(r"python (manage\.py \w*static\w*)", IMAGE)
    argv = [sys.executable, *compress.split()]
    before = set(image.files.iterdir())
    subprocess.run(argv, cwd=image.files, env=image.env, check=True, capture_output=True)
    # `ln -s` in the Dockerfile would fail if the command had created .parley.
    assert set(image.files.iterdir()) - before == {image.files / "staticfiles"}
    assert not Path(image.env["PARLEY_HOME"]).exists()


@pytest.mark.thorough
def test_image_alone_replies_and_keeps_its_data(image: Container) -> None:
    """tests/acceptance/test_run.py shows that the next start reads it."""
    session = image.start().open()
    assert session.send("What did I say before?").text
    image.stop()
    files = list(Path(image.env["PARLEY_HOME"]).rglob("*.incr.aof"))
    assert any(session.id.encode() in file.read_bytes() for file in files)


def test_image_with_redis_is_a_web_process() -> None:
    alone = container.argv({"PORT": "8080"})
    web = container.argv({"REDIS_URL": "redis://redis:6379/0"})
    assert alone[1:] == ("manage.py", "run", "--host", container.HOST, "--port", "8080")
    assert web[1:8] == (
        *("-m", "project.server.main", "project.asgi:application"),
        *("--host", container.HOST, "--port", "8000"),
    )
