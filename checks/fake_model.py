"""docs/fake-model.md describes all of the fake model."""

import argparse
from collections.abc import Iterator
from dataclasses import fields

from checks.files import at, read
from fakemodel.behaviour import Behaviour, Fault
from fakemodel.faults.registry import FAULTS
from fakemodel.imitations.registry import IMITATIONS
from fakemodel.options import add_arguments
from fakemodel.recorder import RECORD_FIELDS

PAGE = "docs/fake-model.md"


def fake_model() -> Iterator[str]:
    """Options, faults, directives, fields of a call record, and imitated servers."""
    parser = argparse.ArgumentParser(add_help=False)
    add_arguments(parser)
    page = read(PAGE)
    for name in (*parser._option_string_actions, *Fault, *RECORD_FIELDS, *IMITATIONS):  # noqa: SLF001
        if f"`{name}`" not in page:
            yield f"{at(PAGE)}: describe `{name}`"
    for name in (field.name for field in fields(Behaviour)):
        if not any(f"`{name}{end}" in page for end in "`=:"):
            yield f"{at(PAGE)}: describe the directive `{name}`"
    for fault in set(Fault) - FAULTS.keys():
        yield f"{at('fakemodel/faults/registry.py', 'FAULTS')}: add {fault}"


CHECKS = (fake_model,)
