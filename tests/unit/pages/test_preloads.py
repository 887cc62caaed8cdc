"""The page loads at once what its scripts need to start, and nothing else."""

import re
from pathlib import Path

from chat.pages.views import preloaded

STATIC = Path(__file__).parents[3] / "chat/static"
LATER = {"chat/export.js", "chat/markdown.js", "chat/reasoning.js"}


def test_all_imports_of_preloaded_modules_are_preloaded() -> None:
    modules = {"chat/app.js", *preloaded()}
    for module in modules:
        text = (STATIC / module).read_text()
        imports = re.findall(r'\bfrom "\./(.+?)"', text)
        assert {f"chat/{name}" for name in imports} <= modules, module


def test_renderer_and_libraries_are_loaded_later() -> None:
    assert "chat/chat.js" in preloaded()
    assert not LATER & {*preloaded()}
    assert not [module for module in preloaded() if "vendor" in module]
