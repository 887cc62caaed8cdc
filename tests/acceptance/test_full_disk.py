"""Redis cannot write its append-only file: everything that reports an error names the reason."""

import errno
import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from project.runner.healthcheck import describe_redis_problem
from tests.acceptance.doctor import doctor
from tests.harness.stack import Stack
from tests.harness.wait import wait_until
from tests.integration.api.client import APIClient

DISK_SIZE = 2**20


class SmallDisk:
    """The disk of a Redis: a small file system, or a limit for files where none can be mounted."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True)
        self._directory = directory
        self._filler = directory / "filler"
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_SIZE}", "tmpfs", str(directory)]
        self._is_mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
        # The message of Redis, and that of Parley.
        self.error = os.strerror(errno.ENOSPC if self._is_mounted else errno.EFBIG)
        self.reason = "the disk is full" if self._is_mounted else self.error

    def fill(self, pid: int) -> None:
        """Leave no space for Redis, which is process `pid`."""
        if not self._is_mounted:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
            return
        status = os.statvfs(self._directory)
        self._filler.write_bytes(bytes(status.f_bavail * status.f_bsize))

    def free(self, pid: int) -> None:
        self._filler.unlink(missing_ok=True)
        unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)

    def unmount(self) -> None:
        if self._is_mounted:
            subprocess.run(["umount", "--lazy", str(self._directory)], check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """The disk of the first stack of the test."""
    small = SmallDisk(tmp_path / "stack0" / "redis")
    yield small
    small.unmount()


@pytest.mark.case("C35")
def test_full_disk_is_named_by_the_api_ready_and_doctor(
    disk: SmallDisk, build_stack: Callable[..., Stack]
) -> None:
    stack = build_stack(appendonly=True, appendfsync="everysec").start(workers=0)
    owner = APIClient(stack.web().url).open_session()
    disk.fill(stack.redis.pid)

    # Redis accepts the write that does not fit; it notices when it has replied.
    def post() -> requests.Response:
        return owner.post("/messages", {"content": "x" * 5000})

    wait_until(lambda: post().status_code == 503)
    for response in (post(), owner.get("/ready"), owner.post("/sessions")):
        error = response.json()["error"]
        assert error["code"] == "store_unavailable"
        assert error["message"] == f"Storage cannot write to its disk: {disk.reason}."
    assert owner.get().status_code == 200

    code, output = doctor(stack)
    assert code == 1
    assert f"error    Redis cannot write to its disk: {disk.reason}\n" in output
    assert "REDIS_URL" not in output
    assert disk.error in describe_redis_problem(stack.redis.url)

    disk.free(stack.redis.pid)
    wait_until(lambda: owner.get("/ready").status_code == 200)
    assert owner.post("/messages", {"content": "hi"}).status_code == 202
