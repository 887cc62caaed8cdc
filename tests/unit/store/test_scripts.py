"""What must be true of the Lua scripts as texts."""

import re
from pathlib import Path

import pytest

from chat.store.scripts import SCRIPTS_DIR, read_script

FILES = sorted(SCRIPTS_DIR.rglob("*.lua"))
SCRIPTS = sorted(path.stem for path in SCRIPTS_DIR.glob("*.lua"))

TAKE_IN = {"create", "rate", "regenerate", "restore", "submit", "throttle", "ticket_issue"}
"""What a full Redis refuses. All else goes on, so that what was accepted is answered."""

KEY = re.compile(r"(KEYS\[[^]]+\]|[A-Z]+|key|log)$")
"""A declared key: by its place, or by the name that was given to it."""
CALL = re.compile(r"redis\.call\('(\w+)'(?:, ([^,()]+))?")
FORBIDDEN = {"KEYS", "SCAN", "EVAL", "FLUSHALL", "FLUSHDB", "RANDOMKEY", "SORT"}


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_says_what_it_does_to_a_full_redis(name: str) -> None:
    flags = read_script(name).source.partition("\n")[0]
    allowed = {"#!lua"} if name in TAKE_IN else {"#!lua flags=allow-oom", "#!lua flags=no-writes"}
    assert flags in allowed


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_script_touches_declared_keys_only(path: Path) -> None:
    for command, key in CALL.findall(re.sub("--.*", "", path.read_text())):
        assert command not in FORBIDDEN
        assert command == "TIME" or KEY.match(key), f"{path.name}: {command} {key}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_script_is_short_and_opens_with_a_sentence(path: Path) -> None:
    lines = path.read_text().splitlines()
    opening = next(line for line in lines if not line.startswith("#!"))
    assert re.match(r"-- [A-Z]", opening)
    assert len(lines) <= 65
