"""The files of the project, and where in them something is."""

from pathlib import Path
from typing import Any

import yaml

from project.runner.process import ROOT


def read(path: str) -> str:
    """Return the text of a file of the project."""
    return (ROOT / path).read_text()


def at(path: str | Path, text: str = "") -> str:
    """Return `path:line` of the first line that contains `text`; without one, the first line."""
    path = ROOT / path
    lines = path.read_text().splitlines() if text else []
    line = next((number for number, each in enumerate(lines, 1) if text in each), 1)
    return f"{path.relative_to(ROOT)}:{line}"


def read_yaml(path: str) -> Any:
    """Return the document in a YAML file."""
    return yaml.safe_load(read(path))


def lookup(document: Any, path: str) -> Any:
    """Return what is at a dotted path of keys, or None."""
    for key in path.split("."):
        document = document.get(key) if isinstance(document, dict) else None
    return document
