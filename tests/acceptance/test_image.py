"""The command of the container image, with the files and variables that the Dockerfile gives it."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from project.runner import container
from project.runner.process import ROOT
from tests.harness.installation import Installation, stores

# The last stage.
IMAGE = (ROOT / "Dockerfile").read_text().rpartition("\nFROM ")[2]
COPY = re.compile(r"^COPY (?!--from)(.+) \S+$", re.MULTILINE)
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


@pytest.fixture
def image(tmp_path: Path) -> Iterator[Installation]:
    files = tmp_path / "srv"
    files.mkdir()
    for name in " ".join(COPY.findall(IMAGE)).split():
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
        copy(ROOT / name, files / name)
    (command,) = re.findall(r"^CMD (.*)$", IMAGE, re.MULTILINE)
    home = str(tmp_path / "volume")
    built = Installation(files, json.loads(command), log=tmp_path / "log", PARLEY_HOME=home)
    yield built
    built.stop()


def test_image_has_the_files_that_its_programs_import(image: Installation) -> None:
    """tests/acceptance/test_run.py starts them, from the checkout."""
    python = [sys.executable, "-c", IMPORTS]
    run = subprocess.run(
        python, cwd=image.directory, env=image.env, capture_output=True, check=False
    )
    assert run.returncode == 0, run.stderr.decode()


def test_image_has_compressed_files_and_its_build_writes_no_others(image: Installation) -> None:
    (compress,) = re.findall(r"python (manage\.py \w*static\w*)", IMAGE)
    argv = [sys.executable, *compress.split()]
    before = set(image.directory.iterdir())
    subprocess.run(argv, cwd=image.directory, env=image.env, check=True, capture_output=True)
    # `ln -s` in the Dockerfile would fail if the command had created .parley.
    assert set(image.directory.iterdir()) - before == {image.directory / "staticfiles"}
    assert not Path(image.env["PARLEY_HOME"]).exists()


@pytest.mark.thorough
def test_image_alone_replies_and_keeps_its_data(image: Installation) -> None:
    """tests/acceptance/test_run.py shows that the next start reads it."""
    session = image.start().open()
    assert session.send("What did I say before?").text
    image.stop()
    assert stores(Path(image.env["PARLEY_HOME"]), session.id)


def test_image_with_redis_is_a_web_process() -> None:
    alone = container.argv({"PORT": "8080"})
    web = container.argv({"REDIS_URL": "redis://redis:6379/0"})
    assert alone[1:] == ("manage.py", "run", "--host", container.HOST, "--port", "8080")
    assert web[1:8] == (
        *("-m", "project.server.main", "project.asgi:application"),
        *("--host", container.HOST, "--port", "8000"),
    )
