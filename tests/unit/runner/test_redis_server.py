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
