"""docs/fake-model.md is complete."""

import argparse
from dataclasses import fields
from pathlib import Path

import pytest

from fakemodel.behaviour import Behaviour, Fault
from fakemodel.faults.registry import FAULTS
from fakemodel.imitations.registry import IMITATIONS
from fakemodel.options import add_arguments
from fakemodel.recorder import RECORD_FIELDS

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "fake-model.md").read_text()


def option_strings() -> list[str]:
    parser = argparse.ArgumentParser(add_help=False)
    add_arguments(parser)
    return sorted(parser._option_string_actions)


@pytest.mark.parametrize("option", option_strings())
def test_every_option_is_documented(option: str) -> None:
    assert f"`{option}`" in PAGE


@pytest.mark.parametrize("fault", list(Fault))
def test_every_fault_is_documented_and_implemented(fault: Fault) -> None:
    assert f"`{fault}`" in PAGE
    assert fault in FAULTS


@pytest.mark.parametrize("name", [field.name for field in fields(Behaviour)])
def test_every_directive_is_documented(name: str) -> None:
    assert f"`{name}`" in PAGE or f"`{name}=" in PAGE or f"`{name}:" in PAGE


@pytest.mark.parametrize("name", RECORD_FIELDS)
def test_every_field_of_a_call_record_is_documented(name: str) -> None:
    assert f"`{name}`" in PAGE


@pytest.mark.parametrize("name", IMITATIONS)
def test_every_imitation_is_documented(name: str) -> None:
    assert f"`{name}`" in PAGE
