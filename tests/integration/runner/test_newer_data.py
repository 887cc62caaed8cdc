"""A Redis server whose data a newer server wrote: one line explains it, and the data is kept."""

import subprocess
import sys
from pathlib import Path

import pytest

from project.runner import commands
from tests.harness.ports import free_port

# The start of a file of a version that no server knows yet.
HEADER = b"VALKEY999\xfa\x0avalkey-ver\x0612.0.1"
MANIFEST = b"file appendonly.aof.1.base.rdb seq 1 type b\n"
RUN_REDIS = """
import sys
from pathlib import Path
from project.runner import commands
from project.runner.log_output import LogOutput
from project.runner.supervisor import Supervisor

directory, port, appendonly = sys.argv[1:]
redis = commands.redis(
    Path(directory), port=int(port), password="of-redis", appendonly=appendonly == "True"
)
sys.exit(Supervisor(LogOutput()).run([[redis]], on_ready=lambda: None))
"""


def write_files(directory: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(content)


def read_files(directory: Path) -> dict[str, bytes]:
    paths = [path for path in directory.rglob("*") if path.is_file()]
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in paths
        if path.name != "redis.conf"
    }


@pytest.mark.parametrize("appendonly", [True, False])
def test_newer_data_is_explained_and_kept(tmp_path: Path, appendonly: bool) -> None:
    files = {"dump.rdb": HEADER}
    if appendonly:
        files = {
            "appendonlydir/appendonly.aof.1.base.rdb": HEADER,
            "appendonlydir/appendonly.aof.manifest": MANIFEST,
        }
    write_files(tmp_path, files)
    arguments = [str(tmp_path), str(free_port()), str(appendonly)]
    run = subprocess.run(
        [sys.executable, "-c", RUN_REDIS, *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    server = commands.redis(tmp_path, port=1, password="of-redis").argv[0]
    assert run.returncode == 1
    (line,) = [line for line in run.stdout.splitlines() if "too old" in line]
    assert f"{server} is too old for the data in {tmp_path}, which Valkey 12.0.1 wrote." in line
    assert "restarting" not in run.stdout
    assert read_files(tmp_path) == files
