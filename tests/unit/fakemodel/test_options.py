import argparse

import pytest

from fakemodel.behaviour import Behaviour, Fault
from fakemodel.options import Options, add_arguments


def parse(*arguments: str) -> Options:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return Options.from_arguments(vars(parser.parse_args(arguments)))


def test_no_arguments_give_the_defaults() -> None:
    assert parse() == Options()


def test_a_fault_has_the_syntax_of_directives() -> None:
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
def test_an_invalid_value_exits_with_its_option_name(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parse(*arguments)

    assert arguments[0] in capsys.readouterr().err
