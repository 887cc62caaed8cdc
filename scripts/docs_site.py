"""MkDocs hook: remove links that leave docs/."""

import re
from typing import Any

# A link from a page to a file of the repository; checks/pages.py checks that it exists.
OUTSIDE = re.compile(r"\[([^\]]+)\]\((?:\.\./)+[^)]*\)")


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Replace links out of docs/ with their text."""
    source = page.file.src_uri
    climbs = r"\[([^\]]+)\]\(\.\./\.\./[^)]*\)" if source.startswith("adr/") else OUTSIDE
    return re.sub(climbs, r"\1", markdown)
