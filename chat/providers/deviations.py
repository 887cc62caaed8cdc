"""Deviations: what a model's response has that its format does not allow, and how it was read.

Real servers deviate in many ways, and most deviations are harmless. Each is logged, so that an
operator can find out why a model behaves oddly. `manage.py doctor --call-models` shows those of the
call that it makes. None contains text of a prompt, a reply or an error.
"""

import logging
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from threading import Lock

from chat.domain.errors import ModelInvalidResponse

logger = logging.getLogger(__name__)

# Seconds until a deviation in the same field of the same model is logged again.
LOG_INTERVAL = 3600.0
# Characters of a received value that a deviation quotes.
MAX_CHARS = 200
_CODE = re.compile(r"[\w.:/+-]{1,64}", re.ASCII)
_JSON_TYPES: dict[type, str] = {
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "a list",
    dict: "an object",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """One deviation. field: where it is; action: what Parley did about it."""

    field: str
    expected: str
    got: str
    action: str

    def __str__(self) -> str:
        return f"{self.field}: expected {self.expected}, got {self.got}; {self.action}"


class DeviationLog:
    """Logs deviations, each field of a model at most once an hour."""

    def __init__(self) -> None:
        self._lock = Lock()
        # `time.monotonic()` by model and field.
        self._logged_at: dict[tuple[str, str], float] = {}

    def add(self, model: str, deviation: Deviation) -> None:
        now = time.monotonic()
        with self._lock:
            key = model, deviation.field
            if now - self._logged_at.get(key, -LOG_INTERVAL) < LOG_INTERVAL:
                return
            self._logged_at[key] = now
        logger.warning("model %s: %s", model, deviation)


def report(model: str, deviation: Deviation) -> None:
    """Log the deviation, or add it to the list of `collect`."""
    collected = _collected.get()
    if collected is None:
        _log.add(model, deviation)
    elif deviation not in collected:
        collected.append(deviation)


def invalid_response(got: str, message: str = "") -> ModelInvalidResponse:
    """Return the error for a response that is rejected because of `got`, for the log."""
    error = ModelInvalidResponse(message)
    error.__cause__ = ValueError(got)
    return error


@contextmanager
def collect() -> Iterator[list[Deviation]]:
    """Yield a list that gets the deviations of this thread's calls, which are not logged."""
    found: list[Deviation] = []
    token = _collected.set(found)
    try:
        yield found
    finally:
        _collected.reset(token)


def quote(text: str) -> str:
    """Return a value that is not text of a conversation, such as a header, for a deviation."""
    return ascii(text if len(text) <= MAX_CHARS else f"{text[:MAX_CHARS]}...")


def quote_code(value: object) -> str:
    """Return a vendor's code for a deviation, such as a finish reason, which is never a reply."""
    if isinstance(value, str) and _CODE.fullmatch(value):
        return repr(value)
    return describe(value)


def describe(value: object) -> str:
    """Return the type and length of a JSON value, which may be text of a reply."""
    if value is None:
        return "null"
    kind = _JSON_TYPES.get(type(value), "something else")
    return f"{kind} of {len(value)} characters" if isinstance(value, str) else kind


_collected: ContextVar[list[Deviation] | None] = ContextVar("collected", default=None)

# The log of this process.
_log = DeviationLog()
