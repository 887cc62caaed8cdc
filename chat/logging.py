"""Lines of the log: each tells which request, session and turn it is about; none holds content.

Who begins something says so once (`begin`, `about`); a filter puts it into every line that is
written meanwhile, in the same thread or task, by whomever.
"""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType

FIELDS = ("request_id", "session", "turn", "attempt", "fence", "trace_id")
"""What a line may be about, in the order in which it is shown."""

ENCODER = json.JSONEncoder(default=str)
"""It writes ASCII: no letter of a message ends a line, or is none."""

_context: ContextVar[Mapping[str, object]] = ContextVar("log_context", default=MappingProxyType({}))


def reset_context(**fields: object) -> None:
    """Let all that follows in this thread or task be about these fields, and no others."""
    _context.set(fields)


@contextmanager
def log_context(**fields: object) -> Iterator[None]:
    """Let what is written meanwhile be about these fields, too."""
    token = _context.set({**_context.get(), **fields})
    try:
        yield
    finally:
        _context.reset(token)


def request_id() -> str:
    """Return the id of the request that all this comes from, or ""."""
    return str(_context.get().get("request_id", ""))


class ContextFilter(logging.Filter):
    """Puts what a line is about into its record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass."""
        record.context = _context.get()
        return True


class JSONFormatter(logging.Formatter):
    """A line as one object of JSON.

    Of a record it takes what is named here: what libraries attach to theirs, Celery a task's
    arguments for one, stays out.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "process": record.process,
            **_fields_of(record),
        }
        if record.exc_info:
            line["exc_info"] = self.formatException(record.exc_info)
        if record.stack_info:
            line["stack_info"] = self.formatStack(record.stack_info)
        return ENCODER.encode(line)


class TextFormatter(logging.Formatter):
    """A line for people: what it is about stands at its end, and nothing can pass for another."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging's name
        """Return the line without a traceback."""
        shown = " ".join(f"{name}={value}" for name, value in _fields_of(record).items())
        line = f"{record.levelname} {record.name}: {_escape_unprintable(record.message)}"
        return f"{line} [{shown}]" if shown else line


def _fields_of(record: logging.LogRecord) -> dict[str, object]:
    fields: Mapping[str, object] = getattr(record, "context", {})
    return {name: fields[name] for name in FIELDS if fields.get(name) not in {None, ""}}


def _escape_unprintable(text: str) -> str:
    """Return the text with what is not printable written out: a message may quote a stranger."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
