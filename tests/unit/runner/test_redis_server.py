"""Which server binary is taken."""

import subprocess
from pathlib import Path

import pytest

from project.runner import redis_server


def test_the_bundled_server_is_preferred() -> None:
    assert redis_server.PACKAGE in redis_server.find_server()


@pytest.mark.parametrize("name", ["valkey-server", "redis-server"])
def test_without_it_one_on_path_serves(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / name
    own.touch(mode=0o700)
    monkeypatch.setattr(redis_server, "PACKAGE", "not-installed-here")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert redis_server.find_server() == str(own)


def test_with_neither_the_message_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_server, "PACKAGE", "not-installed-here")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="REDIS_URL"):
        redis_server.find_server()


def test_the_password_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = redis_server.write_configuration(tmp_path / "redis", port=7, password="of-redis")
    assert "of-redis" in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["with space", 'with "quotes"', "with \\ backslash", "mit Ümläut"])
def test_a_server_starts_wherever_its_data_are(tmp_path: Path, name: str) -> None:
    path = redis_server.write_configuration(tmp_path / name, port=0, password="of-redis")
    # Its port is none, so it reads all, finds nowhere to listen, and ends.
    ended = subprocess.run(
        [redis_server.find_server(), path], capture_output=True, text=True, timeout=20, check=False
    )
    assert "not listen anywhere" in ended.stdout + ended.stderr
