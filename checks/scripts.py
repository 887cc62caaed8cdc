"""The Lua scripts: flags, keys, length and headers."""

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

from chat.store.metrics import BUCKETS_MS
from chat.store.scripts import SCRIPTS_DIR, read_script
from checks.files import at

FILES = sorted(SCRIPTS_DIR.rglob("*.lua"))
SCRIPTS = sorted(SCRIPTS_DIR.glob("*.lua"))
# Scripts that a full Redis rejects. All others work, so that accepted turns are answered.
REJECTED_WHEN_FULL = {
    "append_history",
    "attach",
    "create",
    "issue_ticket",
    "put_file",
    "regenerate",
    "reserve_quota",
    "reset",
    "restore",
    "rotate_token",
    "set_feedback",
    "submit",
    "throttle",
    "update",
}
# A declared key: by its index, or by the name of its variable.
KEY = re.compile(r"(KEYS\[[^]]+\]|[A-Z_]+|key|log)$")
CALL = re.compile(r"redis\.call\('(\w+)'(?:, ([^,()]+))?")
# Fields that the files of `lib/` use, and whose absence would go unnoticed: a text may be missing.
READ_BY_SCRIPTS = ("owner", "party", "tokens")
FORBIDDEN = {"KEYS", "SCAN", "EVAL", "FLUSHALL", "FLUSHDB", "RANDOMKEY", "SORT"}
MAX_LINES = 60  # without comments and empty lines


def flags() -> Iterator[str]:
    """A script says whether a full Redis runs it."""
    for path in SCRIPTS:
        line = read_script(path.stem).source.partition("\n")[0]
        works = {"#!lua flags=allow-oom", "#!lua flags=no-writes"}
        expected = {"#!lua"} if path.stem in REJECTED_WHEN_FULL else works
        if line not in expected:
            yield f"{at(path)}: expected {' or '.join(expected)} (see REJECTED_WHEN_FULL)"


def declared_keys() -> Iterator[str]:
    """A script touches only keys that it gets, with commands that take constant time."""
    for path in FILES:
        for command, key in CALL.findall(re.sub("--.*", "", path.read_text())):
            where = at(path, f"redis.call('{command}'")
            if command in FORBIDDEN:
                yield f"{where}: scripts must not call {command}"
            elif command != "TIME" and not KEY.match(key):
                yield f"{where}: {command} {key}: pass the key in KEYS"


def headers() -> Iterator[str]:
    """A short script begins with a sentence, and describes KEYS, ARGV and replies."""
    for path in FILES:
        lines = path.read_text().splitlines()
        opening = next(line for line in lines if not line.startswith("#!"))
        if not re.match(r"-- [A-Z]", opening):
            yield f"{at(path)}: begin with a comment that is a sentence"
        if sum(bool(line) and not line.startswith("--") for line in lines) > MAX_LINES:
            yield f"{at(path)}: shorten it to {MAX_LINES} lines of code"
    for path in SCRIPTS:
        yield from _parameters(path)


def _parameters(path: Path) -> Iterator[str]:
    lines = path.read_text().splitlines()[1:]
    header = list(itertools.takewhile(lambda line: line.startswith("--"), lines))
    used = map(int, re.findall(r"ARGV\[(\d+)\]", "\n".join(lines[len(header) :])))
    for number in sorted(set(used) - _described(header)):
        yield f"{at(path)}: describe ARGV[{number}] in the header"
    for start in ("-- KEYS", "-- Replies:"):
        if not any(line.startswith(start) for line in header):
            yield f"{at(path)}: add a line that begins with `{start}` to the header"


def _described(header: list[str]) -> set[int]:
    """Return the numbers of the lines `ARGV[4]`, `ARGV[1-3]` and `ARGV[5...]` of a header."""
    numbers: set[int] = set()
    for line in header:
        if found := re.match(r"-- ARGV\[(\d+)(?:-(\d+))?", line):
            numbers |= set(range(int(found[1]), int(found[2] or found[1]) + 1))
    return numbers


def fields() -> Iterator[str]:
    """A script reads the fields of the session that its includes use."""
    for path in SCRIPTS:
        source = read_script(path.stem).source
        calls = "".join(re.findall(r"^read\(([^)]*)\)", source, re.MULTILINE))
        read = re.findall(r"'(\w+)'", calls)
        for name in READ_BY_SCRIPTS:
            if re.search(rf"\bs\.{name}\b", source) and name not in read:
                yield f"{at(path)}: read the field {name}"


def buckets() -> Iterator[str]:
    """Lua and Python count latencies in the same buckets."""
    path = SCRIPTS_DIR / "lib" / "counters.lua"
    listed = "".join(re.findall(r"BUCKETS_MS = \{([^}]+)\}", path.read_text()))
    if re.findall(r"\d+", listed) != list(map(str, BUCKETS_MS)):
        yield f"{at(path, 'BUCKETS_MS')}: expected the BUCKETS_MS of chat/store/metrics.py"


CHECKS = (flags, declared_keys, headers, fields, buckets)
