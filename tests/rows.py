"""Tables of rows, and what became of the tests that show them: `make faults`, `make security`."""

import re
from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator
from typing import Any

import pytest

from project.runner.process import ROOT

MARKERS = ("fault", "security")
DOCS = ROOT / "docs"
# Of docs/faults.md: id, fault.
FAULT = re.compile(r"^\| (F\d\d) \| (.+?) \| .+? \|$", re.MULTILINE)
PAGE = DOCS / "security.md"
# Of that page: id, input, answer, tests.
ROW = re.compile(r"^\| (S\d\d) \| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)

# Id of the row -> node id, outcome and seconds of each test.
Rows = defaultdict[str, list[tuple[str, str, float]]]
# Marker -> rows.
Outcomes = dict[str, Rows]
OUTCOMES = pytest.StashKey[Outcomes]()


def pytest_configure(config: pytest.Config) -> None:
    """Begin with no outcome."""
    outcomes: Outcomes = {marker: defaultdict(list) for marker in MARKERS}
    config.stash[OUTCOMES] = outcomes
    config.pluginmanager.register(_Collector(outcomes))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Let a report name the rows of its test; it may be on its way to another process."""
    report = yield
    for marker in MARKERS:
        ids = {each for found in item.iter_markers(marker) for each in found.args}
        report.user_properties.extend((marker, each) for each in sorted(ids))
    return report


class _Collector:
    def __init__(self, outcomes: Outcomes) -> None:
        self._outcomes = outcomes

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            for marker, row in report.user_properties:
                if marker in MARKERS:
                    told = (report.nodeid, report.outcome, report.duration)
                    self._outcomes[marker][str(row)].append(told)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print each table that was asked for by its marker."""
    outcomes = config.stash[OUTCOMES]
    for marker, lines in (("fault", _faults), ("security", _refusals)):
        if marker in config.option.markexpr:
            terminalreporter.section(marker)
            for line in lines(outcomes[marker]):
                terminalreporter.line(line)


def _faults(outcomes: Rows) -> Iterator[str]:
    """Yield a line a row of the table of faults, and one for each of its tests that has failed."""
    yield from _lines(outcomes, FAULT.findall((DOCS / "faults.md").read_text()))
    for row, tests in sorted(outcomes.items()):
        yield from (f"{row} failed: {nodeid}" for nodeid, found, _ in tests if found == "failed")


def _refusals(outcomes: Rows) -> Iterator[str]:
    """Yield a line a row of the page on security."""
    rows = ROW.findall(PAGE.read_text())
    yield from _lines(outcomes, [(row, given) for row, given, _, _ in rows])


def _lines(outcomes: Rows, rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield a line a row, though none of its tests ran."""
    for row, what in rows:
        seen = [outcome for _, outcome, _ in outcomes[row]]
        verdict = "failed" if "failed" in seen else "passed" if "passed" in seen else "not run"
        yield f"{row}  {what.replace('`', ''):<90.90} {verdict} ({seen.count('passed')} tests)"
