"""What `manage.py doctor` finds."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How a thing stands."""

    OK = "ok"
    # It works; somebody should look.
    WARNING = "warning"
    # A promise does not hold, or nothing works.
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    level: Level
    what: str
    advice: str = ""


def judged(is_well: bool, level: Level, what: str, advice: str) -> Finding:  # noqa: FBT001
    """Return that something is well, or else that it is not, and what to do about it."""
    return Finding(Level.OK, what) if is_well else Finding(level, what, advice)
