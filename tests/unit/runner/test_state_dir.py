"""The state directory: for one run at a time, its secret kept."""

from pathlib import Path

import pytest

from project.runner.state_dir import Home, HomeInUse


def test_a_home_is_held_by_one_run_at_a_time(tmp_path: Path) -> None:
    holder = Home(tmp_path)
    with pytest.raises(HomeInUse, match="runs already"):
        Home(tmp_path)
    holder.release()
    Home(tmp_path).release()


def test_the_secret_key_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    home = Home(tmp_path / "state")
    key = home.secret_key()
    assert len(key) > 60
    assert home.secret_key() == key
    assert (home.path / "secret_key").stat().st_mode & 0o777 == 0o600
    assert home.path.stat().st_mode & 0o777 == 0o700
    home.release()
