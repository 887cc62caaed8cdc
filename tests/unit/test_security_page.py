"""The page on what is refused names, for each row, the tests that bear its id, and no others."""

import ast
from collections import defaultdict

from project.runner.process import ROOT
from tests.rows import PAGE, ROW

TESTS = ROOT / "tests"
ROWS = {row: tests for row, _, _, tests in ROW.findall(PAGE.read_text())}


def marked() -> dict[str, set[str]]:
    """Return the files in which tests bear each id."""
    files = defaultdict(set)
    for path in TESTS.rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.security":
                for argument in node.args:
                    files[str(ast.literal_eval(argument))].add(str(path.relative_to(TESTS)))
    return files


def test_no_row_is_missing() -> None:
    assert list(ROWS) == sorted(ROWS)
    assert {f"S{number:02}" for number in range(1, 43)} <= set(ROWS)


def test_each_row_names_the_tests_that_bear_its_id() -> None:
    found = marked()
    assert found.keys() == ROWS.keys()
    for row, told in ROWS.items():
        assert told == ", ".join(f"`{path}`" for path in sorted(found[row])), row
