import os
from pathlib import Path

import pytest

from project.runner.state_dir import StateDir, StateDirInUse


def test_one_run_at_a_time_holds_a_state_dir(tmp_path: Path) -> None:
    holder = StateDir(tmp_path)
    with pytest.raises(StateDirInUse, match="already running"):
        StateDir(tmp_path)
    assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"
    holder.release()
    StateDir(tmp_path).release()


def test_the_secret_key_is_generated_once_and_private(tmp_path: Path) -> None:
    state_dir = StateDir(tmp_path / "state")
    key = state_dir.secret_key()
    assert len(key) > 60
    assert state_dir.secret_key() == key
    assert (state_dir.path / "secret_key").stat().st_mode & 0o777 == 0o600
    assert state_dir.path.stat().st_mode & 0o777 == 0o700
    state_dir.release()
