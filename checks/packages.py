"""constraints.txt installs on the oldest supported Python."""

import re
from collections.abc import Iterator
from importlib.metadata import distributions

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from checks.files import at, read

PINNED = {
    canonicalize_name(name)
    for name in re.findall(r"^([\w.\[\]-]+)==", read("constraints.txt"), re.MULTILINE)
}


def oldest_python() -> Iterator[str]:
    """Each pinned version supports it."""
    (oldest,) = re.findall(r'^requires-python = ">=(.*)"', read("pyproject.toml"), re.MULTILINE)
    installed = [each for each in distributions() if canonicalize_name(each.name) in PINNED]
    if len(installed) < len(PINNED) / 2:
        yield f"{at('constraints.txt')}: most packages are not installed; run `make lint`"
    for package in installed:
        supported = str(package.metadata.json.get("requires_python", ""))
        if not SpecifierSet(supported).contains(f"{oldest}.0"):
            yield (
                f"{at('constraints.txt', f'{package.name}==')}: {package.name} requires Python"
                f" {supported}; pin a version for {oldest}"
            )


CHECKS = (oldest_python,)
