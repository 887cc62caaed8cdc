from pathlib import Path

import pytest

from chat.store.lua_source import assemble, nest_functions, read_statements, select_keys

NUMBERS = """\
-- Numbers.
local LIMIT = 3
local s, t = {}, {}

-- Double a number.
local function double(n)
  return 2 * n -- twice
end

local function quadruple(n) return double(double(n)) end
local function unused()
  return LIMIT
end
for i = 1, 2 do t[i] = i end
"""
CODE = "local function double(n)\n  return 2 * n -- twice\nend\n"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "numbers.lua").write_text(NUMBERS)
    (tmp_path / "lib" / "more.lua").write_text("-- include: numbers\nlocal more = double(4)\n")
    return tmp_path


def source(directory: Path, body: str) -> str:
    (directory / "script.lua").write_text(f"#!lua\n{body}")
    return assemble(directory, "script")[0]


def nested(directory: Path, library: str, body: str) -> str:
    (directory / "lib" / "functions.lua").write_text(library)
    statements = list(read_statements(f"-- include: functions\n{body}", directory / "lib"))
    return "".join(map(str, nest_functions(statements)))


def test_script_gets_what_it_uses_directly_or_not_in_order(directory: Path) -> None:
    assert source(directory, "-- include: numbers\nreturn quadruple(1)\n") == (
        f"#!lua\nlocal s, t = {{}}, {{}}\n{CODE}"
        "local function quadruple(n) return double(double(n)) end\n"
        "for i = 1, 2 do t[i] = i end\nreturn quadruple(1)\n"
    )


def test_comments_are_no_uses(directory: Path) -> None:
    found = source(directory, "-- include: numbers\n-- double\nreturn 1\n")
    assert found == "#!lua\nlocal s, t = {}, {}\nfor i = 1, 2 do t[i] = i end\nreturn 1\n"


def test_files_come_once_and_in_place_of_their_names(directory: Path) -> None:
    body = "-- include: more\nlocal x = more\n-- include: numbers\nreturn x, unused\n"
    found = source(directory, body)
    assert found.count("local function double") == 1
    assert found.index(CODE) < found.index("local more") < found.index("local x")


def test_unused_variables_of_the_script_itself_are_kept(directory: Path) -> None:
    assert "local reply = redis.call()" in source(directory, "local reply = redis.call()\n")


def test_function_moves_into_the_only_one_that_uses_it(directory: Path) -> None:
    library = (
        "local function a() return 1 end\nlocal function b()\n  return a()\nend\n"
        "local function c(x) return b() end\n"
    )
    assert nested(directory, library, "return c()\n") == (
        "local function c(x)\nlocal function b()\nlocal function a() return 1 end\n"
        "return a()\nend\nreturn b() end\nreturn c()\n"
    )


@pytest.mark.parametrize(
    ("library", "body"),
    [
        pytest.param(
            "local function a() return 1 end\nlocal function b() return a() end\n",
            "return a() + b()\n",
            id="two users",
        ),
        pytest.param(
            "local n = 1\nlocal function a() return n end\nlocal function b(n) return a() end\n",
            "return b(n)\n",
            id="parameter with the name of a variable",
        ),
        pytest.param(
            "local n = 1\nlocal function a() return n end\nlocal n = 2\n"
            "local function b() return a() + n end\n",
            "return b()\n",
            id="second variable of the same name",
        ),
        pytest.param(
            "local function a() return 1 end\nlocal both = { a }\n",
            "return both\n",
            id="user is a variable",
        ),
    ],
)
def test_function_stays_where_it_means_something_else(
    directory: Path, library: str, body: str
) -> None:
    assert nested(directory, library, body) == library + body


def test_script_gets_only_the_keys_that_it_uses() -> None:
    code = "local SESSION, LOG,\n  DUE = unpack(KEYS)\nredis.call('ZADD', DUE, 1, SESSION)\n"
    selected, positions = select_keys(code)
    assert selected == "local SESSION, DUE = unpack(KEYS)\nredis.call('ZADD', DUE, 1, SESSION)\n"
    assert positions == (0, 2)


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(
            "local SESSION, LOG = unpack(KEYS)\nlocal MORE = KEYS[3]\nreturn SESSION\n",
            id="further keys",
        ),
        pytest.param("local LIMITER, SLOTS = unpack(KEYS)\nreturn SLOTS\n", id="no session"),
    ],
)
def test_script_gets_all_keys(code: str) -> None:
    assert select_keys(code) == (code, None)
