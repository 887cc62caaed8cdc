"""The command line."""

import argparse

import pytest

from fakemodel.behaviour import Behaviour, Fault
from fakemodel.options import Options, add_arguments, read_options


def parse(*arguments: str) -> Options:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return read_options(vars(parser.parse_args(arguments)))


def test_without_arguments_the_defaults_hold() -> None:
    assert parse() == Options()


def test_a_fault_is_spelled_as_in_a_marker() -> None:
    expected = Behaviour(fault=Fault.CUT, after=3, times=2)

    assert parse("--fault", "cut after=3 times=2").fault == expected
    assert parse("--fault", "fault:cut after=3 times=2").fault == expected


@pytest.mark.parametrize(
    "arguments",
    [
        ("--fault", "no_such_thing"),
        ("--fault", ""),
        ("--latency", "-1"),
        ("--rate", "nan"),
        ("--tokens", "-1"),
        ("--style", "rude"),
    ],
)
def test_a_bad_value_ends_the_program(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parse(*arguments)

    assert arguments[0] in capsys.readouterr().err
