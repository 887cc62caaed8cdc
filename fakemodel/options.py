"""How the dev model is started: its options, for the command line and for Django's."""

import argparse
from dataclasses import dataclass
from typing import Any

from fakemodel.behaviour import Behaviour
from fakemodel.directives import BadBehaviour, parse_words

STYLES = ("demo", "echo")
NONE = Behaviour()


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the server was told at its start."""

    host: str = "127.0.0.1"
    port: int = 8090
    """0 takes a free one, told in the first line of output."""
    latency: float = 0.0
    """Seconds to the first byte."""
    rate: float = 0.0
    """Tokens per second of a stream; 0 for as fast as possible."""
    jitter: float = 0.0
    """Share by which latency and gaps vary at random, 0 to 1."""
    tokens: int = 0
    """Length of every reply in tokens; 0 for what comes naturally."""
    fault: Behaviour = NONE
    """What befalls every call that asks for no fault of its own."""
    seed: int = 0
    style: str = "demo"
    concurrency_limit: int = 0
    requests_per_minute: int = 0
    minute: float = 60.0
    """Seconds that the minute of `requests_per_minute` lasts."""
    record: bool = False
    """Whether calls are kept and `/__calls__`, `/__reset__`, `/__script__` answer."""
    markers: bool = True
    """Whether messages may ask for faults."""

    @property
    def manner(self) -> Behaviour:
        """The pace and length of all replies."""
        return Behaviour(
            latency=self.latency, rate=self.rate, jitter=self.jitter, tokens=self.tokens
        )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options on `parser`, with the defaults of Options."""
    add_place(parser)
    add_manner(parser)
    add_limits(parser)
    add_test_aids(parser)


def add_place(parser: argparse.ArgumentParser) -> None:
    """Declare where the server listens."""
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument(
        "--port", type=int, default=8090, help="port to listen on, 0 for a free one (%(default)s)"
    )


def add_manner(parser: argparse.ArgumentParser) -> None:
    """Declare how replies are given."""
    parser.add_argument(
        "--latency", type=amount, default=0.0, metavar="S", help="seconds to the first byte"
    )
    parser.add_argument(
        "--rate", type=amount, default=0.0, metavar="N", help="tokens/s of a stream, 0: at once"
    )
    parser.add_argument(
        "--jitter", type=amount, default=0.0, metavar="SHARE", help="random part of both, 0 to 1"
    )
    parser.add_argument(
        "--tokens", type=count, default=0, metavar="N", help="length of every reply, 0: natural"
    )
    parser.add_argument(
        "--style", choices=STYLES, default="demo", help="pleasant, or an echo for tests"
    )
    parser.add_argument("--seed", type=int, default=0, help="other choices of words and chances")


def add_limits(parser: argparse.ArgumentParser) -> None:
    """Declare what the server refuses."""
    parser.add_argument(
        "--concurrency-limit", type=count, default=0, metavar="N", help="calls at once, then 429"
    )
    parser.add_argument(
        "--requests-per-minute", type=count, default=0, metavar="N", help="calls a minute, then 429"
    )
    parser.add_argument(
        "--minute", type=amount, default=60.0, metavar="S", help="seconds of that minute (60)"
    )


def add_test_aids(parser: argparse.ArgumentParser) -> None:
    """Declare what tests need."""
    parser.add_argument(
        "--fault",
        type=fault,
        default=NONE,
        metavar="WORDS",
        help='what befalls every call, as in "429 retry_after=2 times=3" (docs/fake-model.md)',
    )
    parser.add_argument(
        "--record",
        action="store_true",
        help="keep calls; serve /__calls__, /__script__, /__reset__",
    )
    parser.add_argument(
        "--no-markers",
        dest="markers",
        action="store_false",
        help="take [[fault:...]] in messages for text",
    )


def read_options(arguments: dict[str, Any]) -> Options:
    """The options in parsed `arguments`, among which others may stand."""
    return Options(**{name: arguments[name] for name in Options.__dataclass_fields__})


def amount(text: str) -> float:
    """A number from 0 to a million; raises ArgumentTypeError."""
    number = float(text)
    if not 0 <= number <= 1_000_000:  # noqa: PLR2004 - a bound against typing errors
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and a million")
    return number


def count(text: str) -> int:
    """A whole number from 0; raises ArgumentTypeError."""
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text} is below 0")
    return number


def fault(text: str) -> Behaviour:
    """The behaviour that `text` spells, its first word a fault's name; raises ArgumentTypeError."""
    first, *rest = text.removeprefix("fault:").split() or [""]
    try:
        return parse_words([f"fault:{first}", *rest])
    except BadBehaviour as error:
        raise argparse.ArgumentTypeError(str(error)) from error
