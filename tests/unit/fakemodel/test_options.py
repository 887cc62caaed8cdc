import argparse

import pytest

from fakemodel.behaviour import Behaviour, Fault
from fakemodel.options import Options, add_arguments


def parse(*arguments: str) -> Options:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return Options.from_arguments(vars(parser.parse_args(arguments)))


def test_arguments_have_the_defaults_and_the_syntax_of_directives() -> None:
    cut = Options(fault=Behaviour(fault=Fault.CUT, after=3, times=2))

    assert parse() == Options()
    assert parse("--fault", "cut after=3 times=2") == cut
    assert parse("--fault", "fault:cut after=3 times=2") == cut


@pytest.mark.parametrize(
    ("option", "value"),
    [("--fault", "no_such_thing"), ("--fault", ""), ("--latency", "-1"), ("--rate", "nan"),
     ("--tokens", "-1"), ("--style", "rude")],
)  # fmt: skip
def test_an_invalid_value_exits_with_its_option_name(
    option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parse(option, value)

    assert option in capsys.readouterr().err
