"""The recipes in CONTRIBUTING and the guarantees in the README name existing things."""

import re
from collections.abc import Iterator

from checks.files import at, read
from project.runner.process import ROOT

# Files with the constants that the recipes name.
CONSTANTS = (
    "chat/api/exception_handler.py",
    "chat/providers/registry.py",
    "chat/settings_from_env.py",
    "chat/store/scripts.py",
    "checks/scripts.py",
    "tests/integration/providers/conftest.py",
)


def missing_tests(page: str, named: list[tuple[str, str]]) -> Iterator[str]:
    """Yield the tests that a page names but their files do not define."""
    for name, path in named:
        if not (ROOT / path).exists() or f"\ndef {name}(" not in read(path):
            yield f"{at(page, name)}: {path} has no {name}"


def recipes() -> Iterator[str]:
    """Files, tests, checks and constants exist."""
    page = "CONTRIBUTING.md"
    text = read(page).partition("## Recipes")[2].partition("\n## ")[0]
    for path in re.findall(r"`([\w./-]+/[\w./-]*|[\w-]*\.[a-z]+)`", text):
        if not (ROOT / path).exists():
            yield f"{at(page, path)}: {path} does not exist"
    tests = re.findall(r"`(test_\w+)` in `(tests/[\w/]+\.py)`", text)
    if len(tests) != len(re.findall(r"`test_\w+`", text)):
        yield f"{at(page, '## Recipes')}: name tests as `test_name` in `tests/file.py`"
    checks = re.findall(r"`make lint`, `(\w+)` in `(checks/\w+\.py)`", text)
    yield from missing_tests(page, [*tests, *checks])
    for name in re.findall(r"`([A-Z_]{5,})`", text):
        if not any(f"\n{name}" in read(path) for path in CONSTANTS):
            yield f"{at(page, name)}: no file in checks/recipes.py defines {name}"


def guarantees() -> Iterator[str]:
    """Each row of the README's table ends with its test, which `make test` runs."""
    page = "README.md"
    table = read(page).partition("| guarantee |")[2].partition("\n\n")[0]
    rows = table.count("\n|") - 1  # without the line below the heading
    tests = re.findall(r"\[`(test_\w+)`\]\((tests/[\w/]+\.py)\) \|$", table, re.MULTILINE)
    if rows < 1 or len(tests) != rows:
        yield f"{at(page, '| guarantee |')}: end each row with a link to its test"
    yield from missing_tests(page, tests)
    for name, path in tests:
        omitted = rf"@pytest\.mark\.(?:thorough|slow)\n(?:@.*\n)*def {name}\("
        if re.search(omitted, read(path)):
            yield f"{at(page, name)}: `make test` omits this test"


CHECKS = (recipes, guarantees)
