"""The previous release, and programs that run from there."""

import io
import subprocess
import sys
import tarfile
import tomllib
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from project.runner.process import ROOT
from tests.harness.processes import Process

# Changes to the directory in the first argument, and becomes Python with the others.
IN_DIRECTORY = """\
import os, sys
os.chdir(sys.argv[1])
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""


def check_out_previous_release(directory: Path) -> Path:
    """Write the files of the previous release; it runs with the packages of this one.

    Skips the test in a clone without that commit, or if these packages are not those it needs.
    """
    commit = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["parley"]["previous"]
    archive = subprocess.run(
        ["git", "archive", commit], cwd=ROOT, capture_output=True, check=False, timeout=60
    )
    if archive.returncode:
        pytest.skip(f"the previous release, {commit[:10]}, is not in this clone")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(directory, filter="data")
    if missing := _missing_packages(directory / "pyproject.toml"):
        pytest.skip(f"the previous release needs other packages: {', '.join(missing)}")
    return directory


def _missing_packages(pyproject: Path) -> list[str]:
    """Return the requirements that the installed packages do not meet."""
    requirements = map(Requirement, tomllib.loads(pyproject.read_text())["project"]["dependencies"])
    return [
        str(each)
        for each in requirements
        if (each.marker is None or each.marker.evaluate())
        and not each.specifier.contains(metadata.version(each.name), prereleases=True)
    ]


def use_release(process: Process, directory: Path) -> Process:
    """Let a process that is not started yet run the code in `directory`."""
    python, *arguments = process.program.argv
    argv = (sys.executable, "-c", IN_DIRECTORY, str(directory), *arguments)
    assert python == sys.executable
    process.program = replace(process.program, argv=argv)
    return process
