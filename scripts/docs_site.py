"""MkDocs hooks: remove links that leave docs/, and list the decisions."""

import re
from pathlib import Path
from typing import Any

# A link from a page to a file of the repository; tests/unit/test_docs.py checks that it exists.
OUTSIDE = re.compile(r"\[([^\]]+)\]\((?:\.\./)+[^)]*\)")


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:
    """Replace links out of docs/ with their text; list the decisions on the Decisions page."""
    source = page.file.src_uri
    if source == "adr/README.md":
        return f"{markdown}\n{_decisions(Path(config['docs_dir']) / 'adr')}"
    climbs = r"\[([^\]]+)\]\(\.\./\.\./[^)]*\)" if source.startswith("adr/") else OUTSIDE
    return re.sub(climbs, r"\1", markdown)


def _decisions(folder: Path) -> str:
    lines = []
    for path in sorted(folder.glob("0*.md")):
        title = path.read_text().partition("\n")[0].removeprefix("# ")
        lines.append(f"- [{title.replace('. ', ': ', 1)}]({path.name})\n")
    return "".join(lines)
