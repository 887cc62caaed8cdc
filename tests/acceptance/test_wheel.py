"""Parley installed from a wheel: `pip install parley-*.whl && parley run`, without a checkout."""

import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from project.runner.process import ROOT
from tests.harness.installation import Installation, stores

PACKAGES = ("chat", "fakemodel", "parley_client", "project")
NOT_INSTALLED = ("__pycache__", "pyproject.toml")
# What the script `parley` of the installation does.
PARLEY = (
    "from importlib.metadata import distribution\n"
    "(script,) = distribution('parley').entry_points.select(name='parley')\n"
    "script.load()()"
)


def build(source: Path, target: Path) -> Path:
    """Build the wheel of a directory, without a network; return its path."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    subprocess.run(
        [*command, "--directory", str(target)], cwd=source, capture_output=True, check=True
    )
    (wheel,) = target.glob("parley-*.whl")
    return wheel


def modules(wheel: Path) -> set[str]:
    return {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    """Installed in a virtual environment that also has the packages of this one."""
    environment = tmp_path / "venv"
    venv.create(environment, symlinks=True)
    (packages,) = environment.glob("lib/*/site-packages")
    zipfile.ZipFile(build(ROOT, tmp_path)).extractall(packages)
    (packages / "packages.pth").write_text(sysconfig.get_path("purelib"))
    directory = tmp_path / "empty"
    directory.mkdir()
    command = (str(environment / "bin/python"), "-c", PARLEY, "run")
    installed = Installation(directory, command, log=tmp_path / "log")
    yield installed
    installed.stop()


def test_wheel_has_all_files_of_its_packages(tmp_path: Path) -> None:
    files = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and not {*path.parts} & {*NOT_INSTALLED}
    }
    assert modules(build(ROOT, tmp_path)) == files | {"celery_app.py"}


def test_pyproject_alone_installs_no_modules(tmp_path: Path) -> None:
    """So scripts/install and the Dockerfile install only what Parley requires."""
    shutil.copy2(ROOT / "pyproject.toml", tmp_path)
    assert modules(build(tmp_path, tmp_path)) == set()


@pytest.mark.thorough
def test_wheel_alone_replies_in_an_empty_directory(installation: Installation) -> None:
    (packages,) = installation.directory.parent.glob("venv/lib/*/site-packages")
    installed = {path.name for path in packages.iterdir()}
    session = installation.start().open()
    assert session.send("What did I say before?").text
    installation.stop()
    assert f"parley chat --url http://127.0.0.1:{installation.port}" in installation.log.read_text()
    assert [path.name for path in installation.directory.iterdir()] == [".parley"]
    home = installation.directory / ".parley"
    assert stores(home, session.id)
    assert any(home.glob("staticfiles/*.br"))
    assert {path.name for path in packages.iterdir()} == installed
