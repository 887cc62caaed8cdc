"""Docs that can be wrong are checked."""

import re
from pathlib import Path

import pytest
import yaml

from chat.settings import RENAMED
from project.runner.management.commands.run import EXAMPLE
from project.runner.process import ROOT

PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")

NAVIGATION = yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]
README = (ROOT / "README.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
# Files whose constants the recipes mention.
NAMED_CONSTANTS = [
    "chat/api/exception_handler.py",
    "chat/providers/registry.py",
    "chat/settings.py",
    "chat/store/script_errors.py",
    "tests/integration/providers/conftest.py",
    "tests/unit/store/test_scripts.py",
]
# Commands of the checkout outside .venv, and lines in which they run in a container.
WRONG_COMMAND = re.compile(
    r"(?<![\w./])(?:python3? (?:manage\.py|-m (?:bench|fakemodel|project))|celery (?:-A|--app))"
)
IN_CONTAINER = re.compile(r"\b(?:docker|kubectl)\b.* exec ")


def test_the_readme_shows_what_make_run_prints() -> None:
    assert EXAMPLE.format(url="http://127.0.0.1:8000") in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_of_the_checkout_use_its_python(page: Path) -> None:
    lines = page.read_text().splitlines()
    wrong = [
        line
        for line in lines
        # The table of renamed commands is not for pasting.
        if WRONG_COMMAND.search(line) and not IN_CONTAINER.search(line) and line[:1] != "|"
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "name", re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(), re.M)
)
def test_make_targets_are_described(name: str) -> None:
    if name not in {"help", "clean"}:
        assert f"make {name}" in (ROOT / "CONTRIBUTING.md").read_text()


def test_every_page_stands_in_the_sites_navigation() -> None:
    nav = set(re.findall(r"[\w/-]+\.md", yaml.safe_dump(NAVIGATION)))
    pages = {str(page.relative_to(ROOT / "docs")) for page in PAGES if "docs" in page.parts}
    assert {page for page in pages if not page.startswith("adr/0")} == nav


def test_decisions_page_lists_every_decision() -> None:
    folder = ROOT / "docs" / "adr"
    titles = [
        f"[{path.read_text().partition(chr(10))[0][2:].replace('. ', ': ', 1)}]({path.name})"
        for path in sorted(folder.glob("0*.md"))
    ]
    assert (
        re.findall(r"^\* (\[.*?\]\(.*?\)): \w", (folder / "README.md").read_text(), re.M) == titles
    )


def test_recipes_name_existing_files_and_tests() -> None:
    recipes = CONTRIBUTING.partition("## Recipes")[2].partition("\n## ")[0]
    for path in re.findall(r"`([\w./-]+/[\w./-]*|[\w-]*\.[a-z]+)`", recipes):
        assert (ROOT / path).exists(), path
    tests = re.findall(r"`(test_\w+)` in `(tests/[\w/]+\.py)`", recipes)
    assert len(tests) == len(re.findall(r"`test_\w+`", recipes)) >= 10
    for name, path in tests:
        assert f"\ndef {name}(" in (ROOT / path).read_text(), name
    for name in re.findall(r"`([A-Z_]{5,})`", recipes):
        assert any(f"\n{name}" in (ROOT / path).read_text() for path in NAMED_CONSTANTS), name


def test_guarantees_of_the_readme_name_existing_tests() -> None:
    table = re.findall(r"\[`(test_\w+)`\]\((tests/[\w/]+\.py)\) \|$", README, re.MULTILINE)
    assert len(table) == README.partition("| guarantee |")[2].partition("\n\n")[0].count("\n|") - 1
    assert len(table) >= 10
    for name, path in table:
        assert f"\ndef {name}(" in (ROOT / path).read_text(), name


def test_upgrading_page_lists_every_renamed_setting() -> None:
    page = (ROOT / "docs" / "upgrading.md").read_text()
    rows = dict(re.findall(r"^\| `CHAT_(\w+)` \| `CHAT_(\w+)` \|$", page, re.MULTILINE))
    assert rows == RENAMED
