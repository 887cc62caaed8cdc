"""The little grammar in which a call is told how to behave.

The same words serve in a message (`[[fault:429 retry_after=2]]`), on the command line
(`--fault "cut after=3"`) and, as JSON, in a script (`{"fault": "cut", "after": 3}`).
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from fakemodel.behaviour import Behaviour, Fault


class BadBehaviour(ValueError):
    """What was asked for is not in the grammar; the message says which word."""


# Least and most of every number, so that a marker cannot ask for more than a test needs.
WHOLE = {
    "status": (400, 599),
    "after": (0, 1_000_000),
    "tokens": (0, 1_000_000),
    "times": (0, 10**6),
}
DECIMAL = {
    "retry_after": (0, 86400),
    "retry_date": (0, 86400),
    "estimated_time": (0, 86400),
    "mb": (0, 1024),
    "chance": (0, 1),
    "latency": (0, 3600),
    "rate": (0, 1_000_000),
    "byte_rate": (0.01, 1_000_000),
    "jitter": (0, 1),
}
FLAGS = frozenset({"history", "run_on"})
CODE = re.compile(r"[a-z_]{1,64}")

LOADING_SECONDS = 20.0  # what Hugging Face says for a model of middling size

MARKER = re.compile(r"\[\[([^\[\]]{1,300})\]\]")
OURS = re.compile(
    rf"(fault:|({'|'.join([*WHOLE, *DECIMAL, 'code'])})=|({'|'.join(sorted(FLAGS))})(\s|$))"
)


def parse_markers(message: str) -> Behaviour | None:
    """What the markers in `message` ask for, taken together, or None; raises BadBehaviour.

    Double brackets that do not begin with one of our words are text like any other.
    """
    words: list[str] = []
    for inside in MARKER.findall(message):
        if OURS.match(inside.strip()):
            words += inside.split()
    return parse_words(words) if words else None


def parse_words(words: Iterable[str]) -> Behaviour:
    """The behaviour that `fault:NAME`, `key=value` and flags spell; raises BadBehaviour."""
    asked: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if word.startswith("fault:"):
            asked["fault"] = word.removeprefix("fault:")
        elif equals:
            asked[name] = value
        else:
            asked[name] = True
    return parse_fields(asked)


def parse_fields(asked: Mapping[str, Any]) -> Behaviour:
    """The behaviour that names and values spell, text or JSON; raises BadBehaviour."""
    known = parse_fault(str(asked["fault"])) if "fault" in asked else {}
    for name, value in asked.items():
        if name != "fault":
            known[name] = parse_value(name, value)
    return Behaviour(**known)


def parse_fault(name: str) -> dict[str, Any]:
    """The fields that the fault `name` sets: a name, `loading` or a status; raises BadBehaviour."""
    if name.isascii() and name.isdigit():
        return {"fault": Fault.STATUS, "status": parse_value("status", name)}
    if name == "loading":
        return {"fault": Fault.STATUS, "status": 503, "estimated_time": LOADING_SECONDS}
    if name not in set(Fault):
        raise BadBehaviour(f"There is no fault '{name}'.")
    return {"fault": Fault(name)}


def parse_value(name: str, value: Any) -> Any:
    """`value` as the type that `name` has; raises BadBehaviour."""
    if name in FLAGS and value is True:
        return True
    if name == "code" and CODE.fullmatch(str(value)):
        return str(value)
    if name in WHOLE:
        return parse_number(name, value, int, WHOLE[name])
    if name in DECIMAL:
        return parse_number(name, value, float, DECIMAL[name])
    raise BadBehaviour(f"'{name}' is not a word of the grammar, or has a bad value.")


def parse_number(
    name: str, value: Any, kind: type[int] | type[float], bounds: tuple[float, float]
) -> float:
    """`value` as a number within `bounds`; raises BadBehaviour."""
    least, most = bounds
    try:
        number = kind(str(value))
    except ValueError as error:
        raise BadBehaviour(f"'{name}' must be a number from {least} to {most}.") from error
    if not least <= number <= most:
        raise BadBehaviour(f"'{name}' must be a number from {least} to {most}.")
    return number
