"""The commands and programs in the README and docs."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

from project.runner.process import ROOT

# Commands and programs.
PROGRAMS = {"sh", "python", "js", "ts", "jsx", "tsx", "html", "css"}
# Data, output, and files of other programs.
OTHERS = {"caddy", "diff", "haproxy", "http", "ini", "json", "nginx", "text", "toml", "yaml"}
# The first line of a block, or the last one.
MARKER = re.compile(r"^ *(?:```|~~~)(.*)$", re.MULTILINE)
FENCE = re.compile(
    r"^(?P<indent> *)(?:<!-- (?P<mark>[^\n]+) -->\n+ *)?```(?P<language>\w+)\n(?P<code>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced block of code.

    The comment `<!-- run by: tests/... -->` before it names the test file that runs it, and
    `<!-- not run: reason -->` says why no test does.
    """

    page: str
    line: int
    # One of PROGRAMS.
    language: str
    code: str
    # The comment before it, or "".
    mark: str


def pages() -> list[str]:
    """Return the paths of all pages that users read."""
    found = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "clients/js/README.md"]
    return sorted(str(path.relative_to(ROOT)) for path in found)


def blocks(page: str) -> Iterator[Block]:
    """Yield the commands and programs of a page, in order."""
    text = Path(ROOT / page).read_text()
    for match in FENCE.finditer(text):
        if match["language"] in PROGRAMS:
            yield Block(
                page=page,
                line=text.count("\n", 0, match.start("code")),
                language=match["language"],
                code=dedent(match["code"]),
                mark=match["mark"] or "",
            )


def languages(page: str) -> list[str]:
    """Return the language of each block of a page, in order."""
    return MARKER.findall(Path(ROOT / page).read_text())[::2]
