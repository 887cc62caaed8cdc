"""Results per row of the tables in the docs: `make cases`, `make faults`, `make security`."""

from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator
from typing import Any

import pytest

from checks.files import read
from checks.rows import CASE_ROW, CASES_PAGE, FAULT_ROW, FAULTS_PAGE, SECURITY_PAGE, SECURITY_ROW

MARKERS = ("case", "fault", "security")

# Id of the row -> node id, outcome and seconds of each test.
Rows = defaultdict[str, list[tuple[str, str, float]]]
# Marker -> rows.
Outcomes = dict[str, Rows]
OUTCOMES = pytest.StashKey[Outcomes]()


def pytest_configure(config: pytest.Config) -> None:
    outcomes: Outcomes = {marker: defaultdict(list) for marker in MARKERS}
    config.stash[OUTCOMES] = outcomes
    config.pluginmanager.register(_Collector(outcomes))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Add the rows of a test to its report, which xdist sends to another process."""
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
                    result = (report.nodeid, report.outcome, report.duration)
                    self._outcomes[marker][str(row)].append(result)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the table of each marker that was selected with `-m`."""
    outcomes = config.stash[OUTCOMES]
    for marker, lines in (("case", _cases), ("fault", _faults), ("security", _attacks)):
        if marker in config.option.markexpr:
            terminalreporter.section(marker)
            for line in lines(outcomes[marker]):
                terminalreporter.line(line)


def _cases(outcomes: Rows) -> Iterator[str]:
    yield from _lines(outcomes, CASE_ROW.findall(read(CASES_PAGE)))


def _faults(outcomes: Rows) -> Iterator[str]:
    """Yield a line for each row, and one for each failed test."""
    yield from _lines(outcomes, FAULT_ROW.findall(read(FAULTS_PAGE)))
    for row, tests in sorted(outcomes.items()):
        yield from (
            f"{row} failed: {nodeid}" for nodeid, outcome, _ in tests if outcome == "failed"
        )


def _attacks(outcomes: Rows) -> Iterator[str]:
    rows = SECURITY_ROW.findall(read(SECURITY_PAGE))
    yield from _lines(outcomes, [(row, attack) for row, attack, _, _ in rows])


def _lines(outcomes: Rows, rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Yield a line for each row, even if none of its tests ran."""
    for row, description in rows:
        results = [outcome for _, outcome, _ in outcomes[row]]
        result = "failed" if "failed" in results else "passed" if "passed" in results else "not run"
        passed = results.count("passed")
        yield f"{row}  {description.replace('`', ''):<90.90} {result} ({passed} tests)"
