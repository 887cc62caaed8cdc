"""The packages that are pinned."""

from importlib.metadata import distributions
from pathlib import Path

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from project import settings

# The oldest Python that is promised; the one that tests run by may be newer.
OLDEST = "3.11.0"


def test_pinned_packages_install_on_the_oldest_python() -> None:
    lines = (Path(settings.BASE_DIR) / "constraints.txt").read_text().splitlines()
    pinned = {canonicalize_name(line.split("==")[0]) for line in lines if "==" in line}
    wanted = {
        each.name: SpecifierSet(str(each.metadata.json.get("requires_python", "")))
        for each in distributions()
        if canonicalize_name(each.name) in pinned
    }
    assert len(wanted) > 100
    assert not [name for name, pythons in wanted.items() if not pythons.contains(OLDEST)]
