"""Requests with a random mistake."""

import copy
import random
from typing import Any

JUNK: tuple[Any, ...] = (
    *(None, True, 0, -1, 1.5, 10**15, "", "x", "\U0001f600", "x" * 5000),
    *([], [[]], {}, {"a": {}}, [None], ["x"], {"type": "message"}, {"type": 5}, [{"role": 5}]),
)


def mutate(value: Any, rng: random.Random) -> Any:
    """Return a copy with one value somewhere replaced, removed or added."""
    if isinstance(value, dict) and value and rng.random() < 0.8:
        changed = copy.copy(value)
        name = rng.choice(list(value))
        match rng.randrange(6):
            case 0:
                del changed[name]
            case 1:
                changed[rng.choice([*value, "unknown", "tools", "stream", "n"])] = rng.choice(JUNK)
            case _:
                changed[name] = mutate(value[name], rng)
        return changed
    if isinstance(value, list) and value and rng.random() < 0.8:
        return [mutate(each, rng) for each in value] * rng.choice([1, 1, 1, 2])
    return copy.deepcopy(rng.choice(JUNK))
