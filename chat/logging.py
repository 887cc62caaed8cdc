"""Log records with the ids of request, session and turn; none contains content.

Code that starts a piece of work sets the ids once (`reset_context`, `log_context`). A filter adds
them to every record that the same thread or task writes, whichever library writes it.
"""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType

# Log lines show the fields in this order.
FIELDS = ("request_id", "session", "turn", "attempt", "fence", "trace_id")

# It writes ASCII only, so no character of a message can end the line.
ENCODER = json.JSONEncoder(default=str)

_context: ContextVar[Mapping[str, object]] = ContextVar("log_context", default=MappingProxyType({}))


def reset_context(**fields: object) -> None:
    """Replace the fields of all following records of this thread or task."""
    _context.set(fields)


@contextmanager
def log_context(**fields: object) -> Iterator[None]:
    """Add fields to the records written in the block."""
    token = _context.set({**_context.get(), **fields})
    try:
        yield
    finally:
        _context.reset(token)


def request_id() -> str:
    """Return the id of the current request, or "" without one."""
    return str(_context.get().get("request_id", ""))


class ContextFilter(logging.Filter):
    """Adds the fields to each record; rejects none."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.context = _context.get()
        return True


class JSONFormatter(logging.Formatter):
    """One JSON object per record.

    It ignores attributes that libraries add to a record, such as the arguments of a Celery task.
    """

    def format(self, record: logging.LogRecord) -> str:
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
    """One readable line per record, with the fields at the end. No message can forge a line."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging's name
        fields = " ".join(f"{name}={value}" for name, value in _fields_of(record).items())
        line = f"{record.levelname} {record.name}: {_escape_unprintable(record.message)}"
        return f"{line} [{fields}]" if fields else line


def _fields_of(record: logging.LogRecord) -> dict[str, object]:
    fields: Mapping[str, object] = getattr(record, "context", {})
    return {name: fields[name] for name in FIELDS if fields.get(name) not in {None, ""}}


def _escape_unprintable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
