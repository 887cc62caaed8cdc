"""Lines of the log: each tells which request, session and turn it is about; none holds content.

Who begins something says so once (`begin`, `about`); a filter puts it into every line that is
written meanwhile, in the same thread or task, by whomever.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from pythonjsonlogger.json import JsonFormatter

FIELDS = ("request_id", "session", "turn", "attempt", "fence", "trace_id")
"""What a line may be about, in the order in which it is shown."""

_about: ContextVar[Mapping[str, object]] = ContextVar("about", default=MappingProxyType({}))


def begin(**fields: object) -> None:
    """Let all that follows in this thread or task be about these fields, and no others."""
    _about.set(fields)


@contextmanager
def about(**fields: object) -> Iterator[None]:
    """Let what is written meanwhile be about these fields, too."""
    token = _about.set({**_about.get(), **fields})
    try:
        yield
    finally:
        _about.reset(token)


def request_id() -> str:
    """Return the id of the request that all this comes from, or ""."""
    return str(_about.get().get("request_id", ""))


class About(logging.Filter):
    """Puts what a line is about into its record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass."""
        record.about = _about.get()
        return True


class JSONLines(JsonFormatter):
    """A line as one object of JSON.

    Of a record it takes what is named here: what libraries attach to theirs, Celery a task's
    arguments for one, stays out.
    """

    def add_fields(
        self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
    ) -> None:
        """Fill in the members."""
        log_data["time"] = datetime.fromtimestamp(record.created, UTC).isoformat()
        log_data["level"] = record.levelname
        log_data["logger"] = record.name
        log_data["message"] = record.getMessage()
        log_data["process"] = record.process
        log_data |= _shown(record)
        log_data |= {name: text for name, text in message_dict.items() if name in TRACES}


TRACES = {"exc_info", "stack_info"}


class Readable(logging.Formatter):
    """A line for people: what it is about stands at its end, and nothing can pass for another."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging's name
        """Return the line without a traceback."""
        shown = " ".join(f"{name}={value}" for name, value in _shown(record).items())
        line = f"{record.levelname} {record.name}: {_on_one_line(record.message)}"
        return f"{line} [{shown}]" if shown else line


def _shown(record: logging.LogRecord) -> dict[str, object]:
    fields: Mapping[str, object] = getattr(record, "about", {})
    return {name: fields[name] for name in FIELDS if fields.get(name) not in {None, ""}}


def _on_one_line(text: str) -> str:
    """Return the text with what is not printable written out: a message may quote a stranger."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)
