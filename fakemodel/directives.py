"""Directives: the syntax in which messages, scripts and the command line set the behaviour.

In a message: `[[fault:429 retry_after=2]]`. On the command line: `--fault "cut after=3"`.
In a script, as JSON: `{"fault": "cut", "after": 3}`.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from fakemodel.behaviour import Behaviour, Fault


class InvalidDirective(ValueError):
    """A directive has an unknown name or an invalid value; the message says which."""


# Minimum and maximum of each number: a typing error must not ask for a gigabyte or a day.
INTEGERS = {
    "status": (400, 599),
    "after": (0, 1_000_000),
    "tokens": (0, 1_000_000),
    "times": (0, 1_000_000),
}
FLOATS = {
    "retry_after": (0, 86400),
    "retry_after_date": (0, 86400),
    "estimated_time": (0, 86400),
    "mb": (0, 1024),
    "probability": (0, 1),
    "latency": (0, 3600),
    "rate": (0, 1_000_000),
    "byte_rate": (0.01, 1_000_000),
    "jitter": (0, 1),
}
FLAGS = frozenset({"history", "run_on", "reasoning", "think"})
CODE = re.compile(r"[a-z_]{1,64}")

LOADING_SECONDS = 20.0  # as Hugging Face reports for a model of medium size

BRACKETS = re.compile(r"\[\[([^\[\]]{1,300})\]\]")
# Other text in double brackets is not a directive.
KNOWN = re.compile(
    rf"(fault:|({'|'.join([*INTEGERS, *FLOATS, 'code'])})=|({'|'.join(sorted(FLAGS))})(\s|$))"
)


def parse_message(message: str) -> Behaviour | None:
    """Return what the directives in `message` set, or None if it has none.

    Raises:
        InvalidDirective: an unknown name or an invalid value.
    """
    words: list[str] = []
    for inside in BRACKETS.findall(message):
        if KNOWN.match(inside.strip()):
            words += inside.split()
    return parse_words(words) if words else None


def remove_directives(message: str) -> str:
    return BRACKETS.sub(
        lambda found: "" if KNOWN.match(found[1].strip()) else found[0], message
    ).strip()


def parse_words(words: Iterable[str]) -> Behaviour:
    """Return what words such as `fault:cut`, `after=3` and `history` set.

    Raises:
        InvalidDirective: an unknown name or an invalid value.
    """
    values: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if word.startswith("fault:"):
            values["fault"] = word.removeprefix("fault:")
        elif equals:
            values[name] = value
        else:
            values[name] = True
    return parse_fields(values)


def parse_fields(values: Mapping[str, Any]) -> Behaviour:
    """Return what names and values set; the values are text or JSON.

    Raises:
        InvalidDirective: an unknown name or an invalid value.
    """
    known = _parse_fault(str(values["fault"])) if "fault" in values else {}
    for name, value in values.items():
        if name != "fault":
            known[name] = _parse_value(name, value)
    return Behaviour(**known)


def _parse_fault(name: str) -> dict[str, Any]:
    """Return the fields that the fault `name` sets; a status and `loading` are short forms."""
    if name.isascii() and name.isdigit():
        return {"fault": Fault.STATUS, "status": _parse_value("status", name)}
    if name == "loading":
        return {"fault": Fault.STATUS, "status": 503, "estimated_time": LOADING_SECONDS}
    if name not in set(Fault):
        raise InvalidDirective(f"Unknown fault '{name}'.")
    return {"fault": Fault(name)}


def _parse_value(name: str, value: Any) -> Any:
    if name in FLAGS and value is True:
        return True
    if name == "code" and CODE.fullmatch(str(value)):
        return str(value)
    if name in INTEGERS:
        return _parse_number(name, value, int, INTEGERS[name])
    if name in FLOATS:
        return _parse_number(name, value, float, FLOATS[name])
    raise InvalidDirective(f"'{name}' is not a directive, or its value is invalid.")


def _parse_number(
    name: str, value: Any, kind: type[int] | type[float], bounds: tuple[float, float]
) -> float:
    minimum, maximum = bounds
    problem = f"'{name}' must be a number from {minimum} to {maximum}."
    try:
        number = kind(str(value))
    except ValueError as error:
        raise InvalidDirective(problem) from error
    if not minimum <= number <= maximum:
        raise InvalidDirective(problem)
    return number
