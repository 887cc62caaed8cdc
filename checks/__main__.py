"""Run all checks: `python -m checks`. The exit status is 1 if there is a problem.

With `--write`, write the files that are generated from the code instead.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from importlib import import_module

import django

MODULES = (
    "api_calls",
    "compose",
    "fake_model",
    "javascript",
    "kubernetes",
    "monitoring",
    "overlays",
    "packages",
    "pages",
    "protocol",
    "recipes",
    "rows",
    "safe_deployment",
    "scripts",
    "settings",
)


def problems() -> Iterator[str]:
    """Yield the problems that the checks of all modules find."""
    for name in MODULES:
        for check in import_module(f"checks.{name}").CHECKS:
            yield from check()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        os.environ.update(
            DJANGO_SETTINGS_MODULE="project.settings", PARLEY_HOME=home, SECRET_KEY="x" * 50
        )
        django.setup()
        if "--write" in sys.argv:
            import_module("checks.api_calls").write_calls()
            sys.exit(import_module("checks.javascript").write_types())
        sys.exit("\n".join(problems()) or 0)
