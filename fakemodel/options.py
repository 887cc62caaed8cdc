"""The options of the server, for `python -m fakemodel` and for `manage.py fakemodel`."""

import argparse
from dataclasses import dataclass
from typing import Any, Self

from fakemodel.behaviour import Behaviour
from fakemodel.directives import InvalidDirective, parse_words
from fakemodel.imitations.registry import IMITATIONS

STYLES = ("demo", "echo")
NO_FAULT = Behaviour()


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of one server process."""

    host: str = "127.0.0.1"
    # 0 selects a free port; the first line of output names it.
    port: int = 8090
    # Seconds until the first byte.
    latency: float = 0.0
    # Tokens per second of a stream; 0 means unlimited.
    rate: float = 0.0
    # Random variation of latency and token intervals, as a fraction of them, 0 to 1.
    jitter: float = 0.0
    # Length of every reply in tokens; 0 means unchanged.
    tokens: int = 0
    # Applies to every call whose message requests no fault.
    fault: Behaviour = NO_FAULT
    seed: int = 0
    style: str = "demo"
    # The server to imitate; empty: the fake model itself.
    imitation: str = ""
    concurrency_limit: int = 0
    requests_per_minute: int = 0
    # Seconds that a "minute" of `requests_per_minute` lasts.
    rate_limit_window: float = 60.0
    # Whether calls are stored and the test endpoints are available.
    record: bool = False
    # Whether messages may contain directives.
    directives: bool = True

    @classmethod
    def from_arguments(cls, arguments: dict[str, Any]) -> Self:
        """Return the options among the parsed `arguments` of a command line."""
        return cls(**{name: arguments[name] for name in cls.__dataclass_fields__})

    @property
    def defaults(self) -> Behaviour:
        """The speed and length of all replies."""
        return Behaviour(
            latency=self.latency, rate=self.rate, jitter=self.jitter, tokens=self.tokens
        )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options on `parser`, with the defaults of Options."""
    _add_address(parser)
    _add_replies(parser)
    _add_imitation(parser)
    _add_limits(parser)
    _add_test_options(parser)


def _add_address(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument(
        "--port", type=int, default=8090, help="port to listen on, 0: a free one (%(default)s)"
    )


def _add_replies(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--latency", type=_non_negative, default=0.0, metavar="S", help="seconds to the first byte"
    )
    parser.add_argument(
        "--rate",
        type=_non_negative,
        default=0.0,
        metavar="N",
        help="tokens/s of a stream, 0: unlimited",
    )
    parser.add_argument(
        "--jitter",
        type=_non_negative,
        default=0.0,
        metavar="FRACTION",
        help="random variation of latency and rate, 0 to 1",
    )
    parser.add_argument(
        "--tokens",
        type=_non_negative_int,
        default=0,
        metavar="N",
        help="length of every reply, 0: unchanged",
    )
    parser.add_argument(
        "--style", choices=STYLES, default="demo", help="Markdown replies, or an echo for tests"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of probabilities and jitter")


def _add_imitation(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--as",
        dest="imitation",
        choices=sorted(IMITATIONS),
        default="",
        metavar="SERVER",
        help=f"server to imitate: {', '.join(sorted(IMITATIONS))}",
    )


def _add_limits(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--concurrency-limit",
        type=_non_negative_int,
        default=0,
        metavar="N",
        help="concurrent calls before 429, 0: unlimited",
    )
    parser.add_argument(
        "--requests-per-minute",
        type=_non_negative_int,
        default=0,
        metavar="N",
        help="calls per minute before 429, 0: unlimited",
    )
    parser.add_argument(
        "--rate-limit-window",
        type=_non_negative,
        default=60.0,
        metavar="S",
        help="seconds that this minute lasts (60)",
    )


def _add_test_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--fault",
        type=_fault,
        default=NO_FAULT,
        metavar="DIRECTIVES",
        help='fault of every call: "429 retry_after=2 times=3" (docs/fake-model.md)',
    )
    parser.add_argument(
        "--record",
        action="store_true",
        help="store calls; serve /__calls__, /__script__, /__reset__",
    )
    parser.add_argument(
        "--no-directives",
        dest="directives",
        action="store_false",
        help="treat [[fault:...]] in messages as text",
    )


def _non_negative(text: str) -> float:
    number = float(text)
    if not 0 <= number <= 1_000_000:  # noqa: PLR2004 - protects from typing errors
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1,000,000")
    return number


def _non_negative_int(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text} is negative")
    return number


def _fault(text: str) -> Behaviour:
    name, *rest = text.removeprefix("fault:").split() or [""]
    try:
        return parse_words([f"fault:{name}", *rest])
    except InvalidDirective as error:
        raise argparse.ArgumentTypeError(str(error)) from error
