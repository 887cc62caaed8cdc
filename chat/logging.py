"""Log records with the ids of request, session and turn; none contains content.

Code that starts a piece of work sets the ids once (`reset_context`, `log_context`). A filter adds
them to every record that the same thread or task writes, whichever library writes it.
"""

import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from json.encoder import encode_basestring_ascii
from time import time
from types import MappingProxyType
from typing import TextIO, TypeAlias

# Log lines show the fields in this order.
FIELDS = ("request_id", "session", "turn", "attempt", "fence", "trace_id")

ENCODER = json.JSONEncoder(default=str)

Fields: TypeAlias = Mapping[str, object]
NO_FIELDS: Fields = MappingProxyType({})
_context: ContextVar[Fields] = ContextVar("log_context", default=NO_FIELDS)


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
    """Adds the fields to each record, and leaves out tracebacks of invalid requests."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.context = _context.get()
        if record.name.startswith("django.security."):
            record.exc_info = None  # a client's request is not valid
        return True


class LineFormatter(logging.Formatter):
    """One line per record. It ignores what libraries add, such as the arguments of a task."""

    def line(self, logger: str, level: str, created: float, message: str, fields: Fields) -> str:
        """Return the line without what an exception adds; created: seconds since the epoch."""
        raise NotImplementedError


class JSONFormatter(LineFormatter):
    """One JSON object per record. It is ASCII, so no character of a message can end the line."""

    def line(self, logger: str, level: str, created: float, message: str, fields: Fields) -> str:
        timestamp = datetime.fromtimestamp(created, UTC).isoformat()
        members = "".join([f', "{name}": {_encode(value)}' for name, value in _set(fields)])
        return (
            f'{{"time": "{timestamp}", "level": "{level}", "logger": {_encode(logger)}, '
            f'"message": {_encode(message)}, "process": {os.getpid()}{members}}}'
        )

    def format(self, record: logging.LogRecord) -> str:
        message, fields = record.getMessage(), _fields_of(record)
        line = self.line(record.name, record.levelname, record.created, message, fields)
        if record.exc_info:
            line = f'{line[:-1]}, "exc_info": {_encode(self.formatException(record.exc_info))}}}'
        if record.stack_info:
            line = f'{line[:-1]}, "stack_info": {_encode(self.formatStack(record.stack_info))}}}'
        return line


class TextFormatter(LineFormatter):
    """One readable line per record, with the fields at the end. No message can forge a line."""

    def line(self, logger: str, level: str, created: float, message: str, fields: Fields) -> str:  # noqa: ARG002
        text = f"{level} {logger}: {_escape_unprintable(message)}"
        shown = " ".join([f"{name}={value}" for name, value in _set(fields)])
        return f"{text} [{shown}]" if shown else text

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging's name
        fields = _fields_of(record)
        return self.line(record.name, record.levelname, record.created, record.message, fields)


class ConsoleHandler(logging.StreamHandler[TextIO]):
    """Writes lines to standard error."""

    def write(self, line: str) -> None:
        self.acquire()
        try:
            self.stream.write(line + self.terminator)
            self.flush()
        finally:
            self.release()


def log_turn(logger: logging.Logger, message: str) -> None:
    """Log a message of the level INFO, as `logger.info`, which takes four times as long.

    For messages of every turn. Without a record, there is nothing for other handlers, so if there
    are any, the logger gets the message.
    """
    if not logger.isEnabledFor(logging.INFO):
        return
    handlers = logging.getLogger().handlers
    if len(handlers) == 1 and isinstance(console := handlers[0], ConsoleHandler):
        formatter = console.formatter
        if isinstance(formatter, LineFormatter):
            console.write(formatter.line(logger.name, "INFO", time(), message, _context.get()))
            return
    logger.info("%s", message)


def _fields_of(record: logging.LogRecord) -> Fields:
    fields: Fields = getattr(record, "context", NO_FIELDS)
    return fields


def _set(fields: Fields) -> list[tuple[str, object]]:
    """Return the fields that are set, in order."""
    return [(name, fields[name]) for name in FIELDS if fields.get(name) not in {None, ""}]


def _encode(value: object) -> str:
    if isinstance(value, str):
        return encode_basestring_ascii(value)
    return str(value) if type(value) is int else ENCODER.encode(value)


def _escape_unprintable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
