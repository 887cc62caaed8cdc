"""The Lua scripts as text: flags, keys, length and headers."""

import itertools
import re
from pathlib import Path

import pytest

from chat.store.scripts import SCRIPTS_DIR, read_script

FILES = sorted(SCRIPTS_DIR.rglob("*.lua"))
SCRIPTS = sorted(path.stem for path in SCRIPTS_DIR.glob("*.lua"))

# Scripts that a full Redis rejects. All others work, so that accepted turns are answered.
REJECTED_WHEN_FULL = {
    *("create", "issue_ticket", "regenerate", "restore", "set_feedback", "submit", "throttle"),
}

# A declared key: by its index, or by the name of its variable.
KEY = re.compile(r"(KEYS\[[^]]+\]|[A-Z_]+|key|log)$")
CALL = re.compile(r"redis\.call\('(\w+)'(?:, ([^,()]+))?")
FORBIDDEN = {"KEYS", "SCAN", "EVAL", "FLUSHALL", "FLUSHDB", "RANDOMKEY", "SORT"}


@pytest.mark.parametrize("name", SCRIPTS)
def test_script_declares_whether_a_full_redis_runs_it(name: str) -> None:
    flags = read_script(name).source.partition("\n")[0]
    if name in REJECTED_WHEN_FULL:
        assert flags == "#!lua"
    else:
        assert flags in {"#!lua flags=allow-oom", "#!lua flags=no-writes"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_script_touches_declared_keys_only(path: Path) -> None:
    for command, key in CALL.findall(re.sub("--.*", "", path.read_text())):
        assert command not in FORBIDDEN
        assert command == "TIME" or KEY.match(key), f"{path.name}: {command} {key}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_script_is_short_and_opens_with_a_sentence(path: Path) -> None:
    lines = path.read_text().splitlines()
    opening = next(line for line in lines if not line.startswith("#!"))
    assert re.match(r"-- [A-Z]", opening)
    assert sum(bool(line) and not line.startswith("--") for line in lines) <= 60


@pytest.mark.parametrize("name", SCRIPTS)
def test_header_describes_keys_arguments_and_replies(name: str) -> None:
    lines = (SCRIPTS_DIR / f"{name}.lua").read_text().splitlines()[1:]
    header = list(itertools.takewhile(lambda line: line.startswith("--"), lines))
    body = "\n".join(lines[len(header) :])
    used = {int(number) for number in re.findall(r"ARGV\[(\d+)\]", body)}
    assert used <= documented_arguments(header)
    assert any(line.startswith("-- KEYS") for line in header)
    assert any(line.startswith("-- Replies:") for line in header)


def documented_arguments(header: list[str]) -> set[int]:
    """Return the numbers of the lines `ARGV[4]`, `ARGV[1-3]` and `ARGV[5...]` of a header."""
    numbers: set[int] = set()
    for line in header:
        if found := re.match(r"-- ARGV\[(\d+)(?:-(\d+))?", line):
            numbers |= set(range(int(found[1]), int(found[2] or found[1]) + 1))
    return numbers
