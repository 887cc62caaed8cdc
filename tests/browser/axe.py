"""Accessibility checks with axe-core."""

from pathlib import Path

from playwright.sync_api import Page

AXE = Path(__file__).parent / "vendor" / "axe.js"


def violations(page: Page) -> list[str]:
    """Return rule and element of each violation; the page's context needs `bypass_csp`."""
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run()")["violations"]
    return [f"{each['id']}: {node['html']}" for each in found for node in each["nodes"]]
