"""Results of the checks that `manage.py doctor` prints."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How serious a result is."""

    OK = "ok"
    # It works, but has a risk.
    WARNING = "warning"
    # A guarantee does not hold, or nothing works.
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one check. hint: what to do about it."""

    level: Level
    message: str
    hint: str = ""


def result(is_ok: bool, level: Level, message: str, hint: str) -> CheckResult:  # noqa: FBT001
    return CheckResult(Level.OK, message) if is_ok else CheckResult(level, message, hint)
