"""The tables in the docs have the tests that are marked with the ids of their rows."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator

from checks.files import at, read
from project.runner.process import ROOT

CASES_PAGE = "docs/cases.md"
THOROUGH = "pytest.mark.thorough"
FAULTS_PAGE = "docs/faults.md"
SECURITY_PAGE = "docs/security.md"
# Id, input.
CASE_ROW = re.compile(r"^\| (C\d\d) \| (.+?) \| .+? \|$", re.MULTILINE)
# Id, fault.
FAULT_ROW = re.compile(r"^\| (F\d\d) \| (.+?) \| .+? \|$", re.MULTILINE)
# Id, input, expected result, tests.
SECURITY_ROW = re.compile(r"^\| (S\d\d) \| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)


def trees(marker: str) -> Iterator[tuple[str, ast.Module]]:
    """Yield the path and the code of each test module with a marker."""
    for path in (ROOT / "tests").rglob("test_*.py"):
        text = path.read_text()
        if f"pytest.mark.{marker}(" in text:  # parsing all modules would take seconds
            yield str(path.relative_to(ROOT / "tests")), ast.parse(text)


def ids(node: ast.AST, marker: str) -> set[str]:
    """Return the ids of all markers below a node."""
    return {
        str(ast.literal_eval(argument))
        for each in ast.walk(node)
        if isinstance(each, ast.Call) and ast.unparse(each.func) == f"pytest.mark.{marker}"
        for argument in each.args
    }


def marked(marker: str) -> dict[str, set[str]]:
    """Return the files below tests/ that have tests with each id of a marker."""
    files = defaultdict(set)
    for path, tree in trees(marker):
        for row in ids(tree, marker):
            files[row].add(path)
    return files


def ids_in_make_test(marker: str) -> set[str]:
    """Return the ids of the tests that are not thorough."""
    found: set[str] = set()
    for _, tree in trees(marker):
        module_marks = [each for each in tree.body if ast.unparse(each).startswith("pytestmark =")]
        is_thorough = any(THOROUGH in ast.unparse(mark) for mark in module_marks)
        for test in tree.body:
            if isinstance(test, ast.FunctionDef | ast.AsyncFunctionDef) and not (
                is_thorough or THOROUGH in map(ast.unparse, test.decorator_list)
            ):
                found.update(*(ids(mark, marker) for mark in [*module_marks, *test.decorator_list]))
    return found


def same_ids(page: str, listed: list[str], marker: str) -> Iterator[str]:
    """Ids are unique and sorted; each row has a test, and each marker a row."""
    if listed != sorted(set(listed)):
        yield f"{at(page, '| id |')}: sort the rows by id, each once"
    for row in set(listed) ^ marked(marker).keys():
        yield f"{at(page, f'| {row} |')}: {row} has no row here, or no test with its marker"


def cases() -> Iterator[str]:
    """Each case has a test that `make test` runs."""
    rows = [row for row, _ in CASE_ROW.findall(read(CASES_PAGE))]
    yield from same_ids(CASES_PAGE, rows, "case")
    for row in set(rows) - ids_in_make_test("case"):
        yield f"{at(CASES_PAGE, f'| {row} |')}: `make test` runs no test of {row}"


def faults() -> Iterator[str]:
    """Each fault has a test."""
    rows = FAULT_ROW.findall(read(FAULTS_PAGE))
    yield from same_ids(FAULTS_PAGE, [row for row, _ in rows], "fault")


def security() -> Iterator[str]:
    """Each row lists exactly the files that have tests with its id."""
    rows = {row: tests for row, _, _, tests in SECURITY_ROW.findall(read(SECURITY_PAGE))}
    yield from same_ids(SECURITY_PAGE, list(rows), "security")
    files = marked("security")
    for row, listed in rows.items():
        expected = ", ".join(f"`{path}`" for path in sorted(files.get(row, ())))
        if listed != expected:
            yield f"{at(SECURITY_PAGE, f'| {row} |')}: list the tests of {row}: {expected}"


CHECKS = (cases, faults, security)
