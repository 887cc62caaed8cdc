"""docs/faults.md and the tests that bear its ids."""

import re

from project.runner.process import ROOT
from tests.rows import DOCS, FAULT

MARK = re.compile(r'pytest\.mark\.fault\("(F\d\d)"\)')


def test_the_page_has_every_row_and_every_row_a_test() -> None:
    rows = [row for row, _ in FAULT.findall((DOCS / "faults.md").read_text())]
    assert rows == [f"F{number:02}" for number in (*range(1, 34), 40)]
    marked = {
        row
        for path in (ROOT / "tests").rglob("test_*.py")
        for row in MARK.findall(path.read_text())
    }
    assert marked == set(rows)
