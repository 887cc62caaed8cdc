import subprocess
from pathlib import Path

import pytest

from project.runner import redis_server


def test_the_bundled_server_is_preferred() -> None:
    assert redis_server.PACKAGE in redis_server.find_server()


@pytest.mark.parametrize("name", ["valkey-server", "redis-server"])
def test_a_server_on_path_is_the_fallback(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / name
    own.touch(mode=0o700)
    monkeypatch.setattr(redis_server, "PACKAGE", "not-installed-here")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert redis_server.find_server() == str(own)


def test_a_missing_server_is_reported_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_server, "PACKAGE", "not-installed-here")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="REDIS_URL"):
        redis_server.find_server()


def test_the_configuration_is_private(tmp_path: Path) -> None:
    path = redis_server.write_configuration(tmp_path / "redis", port=7, password="of-redis")
    assert "of-redis" in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["with space", 'with "quotes"', "with \\ backslash", "mit Ümläut"])
def test_a_server_accepts_any_directory_name(tmp_path: Path, name: str) -> None:
    path = redis_server.write_configuration(tmp_path / name, port=0, password="of-redis")
    # With port 0 it reads the whole file, finds nothing to listen on, and exits.
    result = subprocess.run(
        [redis_server.find_server(), path], capture_output=True, text=True, timeout=20, check=False
    )
    assert "not listen anywhere" in result.stdout + result.stderr


@pytest.mark.parametrize(
    "line",
    [
        "WARNING Memory overcommit must be enabled! Run 'sysctl vm.overcommit_memory=1'",
        "WARNING You have Transparent Huge Pages (THP) support enabled in your kernel.",
        "WARNING: The TCP backlog setting of 511 cannot be enforced because of somaxconn",
    ],
)
def test_advice_about_the_kernel_is_hidden(line: str) -> None:
    assert redis_server.is_kernel_advice(line)
    assert not redis_server.is_kernel_advice("WARNING: the disk is slow")


NEWER = b"REDIS0099\xfa\x09redis-ver\x0612.0.1\xff"
VALKEY = b"VALKEY080\xfa\x0avalkey-ver\x059.1.2\xff"
BAD_AOF = "Bad file format reading the append only file appendonly.aof.1.base.rdb: make a backup"
BAD_RDB = "Wrong signature trying to load DB from file"


@pytest.mark.parametrize(
    ("name", "header", "line", "writer"),
    [
        ("dump.rdb", NEWER, "Can't handle RDB format version 99", "Redis 12.0.1"),
        ("dump.rdb", VALKEY, BAD_RDB, "Valkey 9.1.2"),
        ("appendonlydir/a.1.base.rdb", VALKEY, BAD_AOF, "Valkey 9.1.2"),
        ("appendonlydir/a.1.base.rdb", b"", "Can't handle RDB format version 99", "a newer server"),
    ],
)
def test_data_of_a_newer_server_is_explained(
    tmp_path: Path, name: str, header: bytes, line: str, writer: str
) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(header)
    message = redis_server.explain_failure(line, directory=tmp_path, server="/bin/redis-server")
    assert message.startswith(
        f"/bin/redis-server is too old for the data in {tmp_path}, which {writer} wrote."
    )


@pytest.mark.parametrize("line", [BAD_AOF, BAD_RDB, "Ready to accept connections"])
def test_damaged_data_is_left_to_redis_to_explain(tmp_path: Path, line: str) -> None:
    (tmp_path / "dump.rdb").write_bytes(b"REDIS0010\xfa\x09redis-ver\x067.0.15\xff")
    assert redis_server.explain_failure(line, directory=tmp_path, server="redis-server") == ""
