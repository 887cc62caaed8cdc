"""docs/cases.md and the tests that bear its ids."""

import ast
from collections.abc import Iterator

from project.runner.process import ROOT
from tests.rows import CASE, DOCS

THOROUGH = "pytest.mark.thorough"
ROWS = [row for row, _ in CASE.findall((DOCS / "cases.md").read_text())]
# Only those with a mark: parsing all of them would take seconds.
MODULES = [
    ast.parse(text)
    for text in (path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    if "pytest.mark.case(" in text
]


def case_ids(*nodes: ast.AST) -> set[str]:
    """Return the ids of all case marks below the nodes."""
    return {
        str(ast.literal_eval(argument))
        for node in nodes
        for each in ast.walk(node)
        if isinstance(each, ast.Call) and ast.unparse(each.func) == "pytest.mark.case"
        for argument in each.args
    }


def marks_of_module(tree: ast.Module) -> list[ast.expr]:
    """Return the marks of all its tests, from the variable `pytestmark`."""
    values = [
        each.value
        for each in tree.body
        if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == "pytestmark"
    ]
    return [
        mark for each in values for mark in (each.elts if isinstance(each, ast.List) else [each])
    ]


def read_tests(tree: ast.Module) -> Iterator[tuple[set[str], bool]]:
    """Yield the case ids of each test, and whether `make test` runs it."""
    module_marks = marks_of_module(tree)
    for each in tree.body:
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef) and each.name[:5] == "test_":
            marks = [*module_marks, *each.decorator_list]
            is_quick = THOROUGH not in map(ast.unparse, marks)
            yield case_ids(*marks), is_quick


def test_every_row_has_a_test_and_every_mark_a_row() -> None:
    assert sorted(set(ROWS)) == ROWS
    assert case_ids(*MODULES) == set(ROWS)


def test_make_test_includes_every_row() -> None:
    quick = [ids for tree in MODULES for ids, is_quick in read_tests(tree) if is_quick]
    assert set().union(*quick) == set(ROWS)
