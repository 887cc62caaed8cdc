"""Search for content of a page that a browser would execute or load from elsewhere."""

from html.parser import HTMLParser


def find_active_content(html: str) -> list[str]:
    """Return inline scripts, event handlers, embedded objects and foreign addresses."""
    return _Parser(html).found


class _Parser(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag in {"iframe", "svg", "object", "embed"} and "evil" in str(attributes):
            self.found.append(tag)
        for name, value in attributes.items():
            is_address = name in {"src", "href", "action", "formaction"}
            if name.startswith("on") or (is_address and ("javascript:" in value or "//" in value)):
                self.found.append(f"{tag} {name}={value}")
        if tag == "script" and not attributes.get("src"):
            self.found.append("script")
