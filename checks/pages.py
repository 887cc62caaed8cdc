"""README and docs: links, navigation and figures."""

import re
import tomllib
from collections.abc import Iterator

from chat.settings_from_env import RENAMED
from checks.files import at, read
from project.runner.management.commands.run import EXAMPLE
from project.runner.process import ROOT

PAGES = [
    str(path.relative_to(ROOT))
    for pattern in ("*.md", "docs/**/*.md", "clients/js/*.md")
    for path in ROOT.glob(pattern)
]
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")
ANCHOR = re.compile(r"\]\((?!https?:)([^)#]*)#([^)]+)\)")
FENCED = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
UNLISTED_TARGETS = {"help", "clean"}
# Commands of the checkout outside .venv, and lines in which they run in a container.
WRONG_COMMAND = re.compile(
    r"(?<![\w./])(?:python3? (?:manage\.py|-m (?:bench|fakemodel|project))|celery (?:-A|--app))"
)
IN_CONTAINER = re.compile(r"\b(?:docker|kubectl)\b.* exec ")


def links() -> Iterator[str]:
    """Relative links lead to files."""
    for page in PAGES:
        for target in LINK.findall(read(page)):
            if not ((ROOT / page).parent / target).exists():
                yield f"{at(page, target)}: {target} does not exist"


def anchors() -> Iterator[str]:
    """Links to headings lead to one."""
    for page in PAGES:
        for target, anchor in ANCHOR.findall(read(page)):
            path = (ROOT / page).parent / target if target else ROOT / page
            if path.suffix == ".md" and path.exists() and anchor not in _slugs(path.read_text()):
                yield f"{at(page, f'{target}#{anchor}')}: {target or page} has no heading #{anchor}"


def _slugs(text: str) -> set[str]:
    headings = HEADING.findall(FENCED.sub("", text))
    words = (re.sub(r"[^\w\s-]", "", each).lower() for each in headings)
    return {re.sub(r"[-\s]+", "-", each.strip()) for each in words}


def commands() -> Iterator[str]:
    """Commands run with the packages of the checkout; those in tables are not for pasting."""
    for page in PAGES:
        for number, line in enumerate(read(page).splitlines(), 1):
            is_old = line.startswith("|") or IN_CONTAINER.search(line)
            if WRONG_COMMAND.search(line) and not is_old:
                yield f"{page}:{number}: run it with .venv/bin/"


def navigation() -> Iterator[str]:
    """The docs site lists every page, and the list of decisions every decision."""
    listed = set(re.findall(r"[\w/-]+\.md", read("mkdocs.yml").partition("\nnav:")[2]))
    pages = {page.removeprefix("docs/") for page in PAGES if page.startswith("docs/")}
    for page in {page for page in pages if not page.startswith("adr/0")} ^ listed:
        yield f"{at('mkdocs.yml', 'nav:')}: {page} is missing in the navigation, or in docs/"
    decisions = "docs/adr/README.md"
    found = re.findall(r"^\* (\[.*?\]\(.*?\)): \w", read(decisions), re.MULTILINE)
    titles = [
        f"[{read(page).partition(chr(10))[0][2:].replace('. ', ': ', 1)}]({page[9:]})"
        for page in sorted(PAGES)
        if page.startswith("docs/adr/0")
    ]
    for title in [*titles, *found]:
        if titles.count(title) != found.count(title):
            yield f"{at(decisions, title)}: list {title} once if it is a decision, else remove it"
    if sorted(found) == sorted(titles) and found != titles:
        yield f"{at(decisions)}: sort the decisions by number"


def layout() -> Iterator[str]:
    """The architecture page names the modules and packages directly in `chat` and `project`."""
    page = "docs/architecture.md"
    for root in ("chat", "project"):
        section = re.split(r"\n(?=\S)", read(page).partition(f"\n{root}/\n")[2])[0]
        rows = set(re.findall(r"^  ([\w.]+/?)", section, re.MULTILINE))
        present = {
            each.name + "/" * each.is_dir()
            for each in (ROOT / root).iterdir()
            if not each.name.startswith("_")
        }
        for name in (rows - present) | (present - set(re.findall(r"\w+(?:/|\.py)", section))):
            yield f"{at(page, '## Source layout')}: {root}/{name} is missing here, or in {root}/"


def layers() -> Iterator[str]:
    """The architecture page lists the layers of the first contract in pyproject.toml."""
    page = "docs/architecture.md"
    contract = tomllib.loads(read("pyproject.toml"))["tool"]["importlinter"]["contracts"][0]
    rows = re.findall(
        r"^\d+\. (.+(?:\n    .+)*)", read(page).partition("## Layers")[2], re.MULTILINE
    )
    listed = [set(re.findall(r"`(\w+)`", row)) for row in rows]
    if listed != [set(re.findall(r"\w+", each)) for each in contract["layers"]]:
        yield f"{at(page, '## Layers')}: list the same layers as pyproject.toml"


def make_targets() -> Iterator[str]:
    """CONTRIBUTING describes each target."""
    for name in re.findall(r"^([a-z-]+):.*##", read("Makefile"), re.MULTILINE):
        if name not in UNLISTED_TARGETS and not re.search(
            rf"\bmake {name}\b(?!-)", read("CONTRIBUTING.md")
        ):
            yield f"{at('CONTRIBUTING.md')}: describe make {name}"


def figures() -> Iterator[str]:
    """The README shows the output of `make run`, and the length of the Streamlit example."""
    if EXAMPLE.format(url="http://127.0.0.1:8000") not in read("README.md"):
        yield f"{at('README.md', 'curl')}: show the commands that `make run` prints"
    lines = len(read("examples/streamlit_app.py").splitlines())
    if f"[a Streamlit app in {lines} lines]" not in read("README.md"):
        yield f"{at('README.md', 'a Streamlit app in')}: the example has {lines} lines"


def renamed_settings() -> Iterator[str]:
    """The upgrade notes list the settings that Parley rejects by their old names."""
    page = "docs/upgrading.md"
    listed = re.findall(r"^\| `CHAT_(\w+)` \| `CHAT_(\w+)` \|$", read(page), re.MULTILINE)
    for old, new in set(listed) ^ set(RENAMED.items()):
        yield f"{at(page, old)}: list CHAT_{old} -> CHAT_{new} here and in RENAMED"


CHECKS = (
    links,
    anchors,
    commands,
    navigation,
    layout,
    layers,
    make_targets,
    figures,
    renamed_settings,
)
