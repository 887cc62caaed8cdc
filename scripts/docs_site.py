"""What MkDocs is told beyond mkdocs.yml: links that leave docs/, and the list of decisions."""

import re
from pathlib import Path
from typing import Any

OUTSIDE = re.compile(r"\[([^\]]+)\]\((?:\.\./)+[^)]*\)")
"""A link from a page to a file of the repository; tests/unit/test_docs.py sees that it is there."""


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:
    """Leave of links out of docs/ their words; list the decisions on their first page."""
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
